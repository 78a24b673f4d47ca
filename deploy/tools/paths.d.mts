/** The root folder of the checkout. */
export const root: string;
export const requirementsFile: string;
export function node24(): string | undefined;
export function toolDir(): string;
export function cachedFor(files: readonly string[]): string;
export function envoyBinary(): string;
export function natsServerBinary(): string;
export function postgresBinaries(): { readonly bin: string; readonly lib: string };
export function postgresPackage(): string | undefined;
export function envWithNode24(): NodeJS.ProcessEnv;
