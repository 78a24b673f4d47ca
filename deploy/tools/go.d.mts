export function goBinary(): string;
