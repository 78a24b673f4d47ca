/**
 * Ports: everything the pure code may ask of the outside world.
 * Owns the interfaces only; the one runtime that uses real clocks is runtime.ts. The simulator supplies others.
 */

/** Wall clock for labels and certificates, monotonic clock for leases and hysteresis. Neither ever enters the fold. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number;
}

export interface TimerHandle {
  cancel(): void;
}

export interface Timers {
  after(delayMs: number, run: () => void): TimerHandle;
  every(periodMs: number, run: () => void): TimerHandle;
  sleep(delayMs: number): Promise<void>;
}

export interface Random {
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). */
  float(): number;
}

/** SHA-256, synchronous. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** Ed25519 (RFC 8032) over raw 32-byte public keys and 64-byte signatures. A malformed key or signature is `false`. */
export type VerifyEd25519 = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** A private key that is never shown. */
export interface Signer {
  /** Raw 32-byte Ed25519 public key. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** What pure code needs of cryptography. */
export interface Crypto {
  readonly sha256: Sha256;
  readonly verify: VerifyEd25519;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Structured log. Fields never hold secrets. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log with these fields on every line. */
  with(fields: LogFields): Log;
}

export type Labels = Readonly<Record<string, string>>;

/** Metrics by name; names and help texts are constants of their part. */
export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number, labels?: Labels): void;
  /** Base units: seconds or bytes. */
  observe(name: string, value: number, labels?: Labels): void;
}

/** Part of a trace that has begun. */
export interface Span {
  /** W3C Trace Context, to hand on. */
  readonly traceparent: string;
  end(): void;
}

/** Traces, where somebody collects them. Both answer undefined for what is not sampled. */
export interface Tracer {
  begin(name: string, attributes?: Labels): Span | undefined;
  /** Below the span of this `traceparent`; undefined where that is empty. */
  below(traceparent: string, name: string, attributes?: Labels): Span | undefined;
}
