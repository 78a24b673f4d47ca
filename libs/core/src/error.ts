/** The one error class of the edges. Expected outcomes inside are values; this is for callers, users and logs. */
import { CODES, type Code } from "./codes.ts";

export class HansaError extends Error {
  readonly code: Code;
  readonly details: Readonly<Record<string, unknown>>;

  /** `message` = `where: what is wrong, and what to do`. */
  constructor(
    code: Code,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "HansaError";
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Exit status of a command that ends with this error (sysexits, ux conventions §1.4). */
  get exitStatus(): number {
    return CODES[this.code].exit;
  }

  /** HTTP status of an API answer with this error. */
  get httpStatus(): number {
    return CODES[this.code].http;
  }

  override toString(): string {
    return `${this.code} ${this.message}`;
  }
}

export const isHansaError = (value: unknown): value is HansaError => value instanceof HansaError;

/** A broken invariant: crash, do not handle (TigerStyle). */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
