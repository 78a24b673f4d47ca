/** Asks sources for a snapshot: those whose log has a hole that nothing fills, or whose digest differs from theirs. */
import { hex } from "@hansa/core";
import { type RegisterEvent, wantKey } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { Ports } from "../ports.ts";

/** A degraded source is asked at most this often. */
const WANT_MS = 30_000;

export interface WantsOptions {
  readonly fed: Federation;
  readonly self: string;
  readonly ports: Pick<Ports, "clock" | "random" | "log" | "metrics">;
  /** Own register of that key. */
  readonly own: (key: string) => RegisterEvent | undefined;
  readonly put: (key: string, value: { readonly nonce: string } | null) => void;
  /** The own log is to say everything again. */
  readonly announce: () => void;
}

export class Wants {
  readonly #options: WantsOptions;
  readonly #asked = new Map<string, number>();
  readonly #mismatched = new Set<string>();

  constructor(options: WantsOptions) {
    this.#options = options;
  }

  /** Asks `source` for a snapshot now. */
  ask(source: string): void {
    const { ports, put } = this.#options;
    this.#asked.set(source, ports.clock.monotonicMs());
    put(wantKey(source), { nonce: hex(ports.random.bytes(8)) });
  }

  /** Its beat names the head that is held here, with another digest. */
  mismatch(source: string): void {
    if (source !== this.#options.self) this.#mismatched.add(source);
  }

  /** To be called every few seconds while the stream is read and the own log can be written. */
  check(): void {
    const { fed } = this.#options;
    for (const name of ["hub", ...fed.members().map((member) => member.cluster)]) this.#checkOne(name);
  }

  #checkOne(name: string): void {
    const { fed, self, ports, own, put, announce } = this.#options;
    const source = fed.sourceByCluster(name);
    if (source === undefined) return;
    if (name === self) {
      // The own fold may lack own records too (parked at the join, lost at a restart); nobody else is to be asked.
      if (source.degraded) announce();
      return;
    }
    const degraded = source.live && (source.degraded || this.#mismatched.has(name));
    ports.metrics.gauge("hansa_source_degraded", degraded ? 1 : 0, { source: name });
    const askedMs = this.#asked.get(name);
    const recently = askedMs !== undefined && ports.clock.monotonicMs() - askedMs <= WANT_MS;
    if (recently) return;
    if (!degraded) {
      if (own(wantKey(name)) !== undefined) put(wantKey(name), null);
      return;
    }
    this.#mismatched.delete(name);
    ports.log.warn("follow: a source is degraded, asking it for a snapshot", {
      code: "HSA2005",
      source: name,
    });
    this.ask(name);
  }
}
