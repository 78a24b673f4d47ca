export class SetupError extends Error {}
export function setUp(): void;
export function installWheels(
  requirements: string,
  dir: string,
  remedy: string,
  binaries: Readonly<Record<string, string>>,
  versionFlag?: string,
): void;
export function say(text: string): void;
