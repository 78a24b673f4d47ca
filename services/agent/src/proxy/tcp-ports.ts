/** Local ports of TCP services: one per SNI, the same on every sidecar of the cluster, kept over restarts. */
import { readJson, writeJson } from "../disk.ts";
import type { Disk } from "../ports.ts";

const FILE = "tcp-ports.json";
export const TCP_PORTS_MAX = 4000;

export class TcpPorts {
  readonly #disk: Disk;
  readonly #first: number;
  readonly #ports = new Map<string, number>();

  constructor(disk: Disk, first: number) {
    this.#disk = disk;
    this.#first = first;
    const saved = readJson(disk, FILE);
    if (Array.isArray(saved))
      for (const [sni, port] of saved as [string, number][]) this.#ports.set(sni, port);
  }

  /** A port for every SNI; a name keeps its port for as long as it is known at all. undefined = none is free. */
  ensure(snis: readonly string[]): void {
    const missing = snis.filter((sni) => !this.#ports.has(sni)).sort();
    if (missing.length === 0) return;
    const taken = new Set(this.#ports.values());
    let next = this.#first;
    for (const sni of missing) {
      while (taken.has(next)) next += 1;
      if (next >= this.#first + TCP_PORTS_MAX || next > 65_535) break;
      taken.add(next);
      this.#ports.set(sni, next);
    }
    writeJson(this.#disk, FILE, [...this.#ports]);
  }

  all(): ReadonlyMap<string, number> {
    return this.#ports;
  }
}
