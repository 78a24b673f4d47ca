/**
 * Addresses of gateways' host names, asked for again and again. Owns what counts as an answer: a name that had addresses keeps
 * the last good ones while nobody answers, and one that rotates through a pool is told as the whole pool.
 */
import { isIPv6 } from "node:net";
import { type Log, type Metrics, type Random, sameJson, type TimerHandle, type Timers } from "@hansa/core";
import type { FamilyAnswer, Lookup } from "./lookup.ts";

/** Host names that one agent asks for. */
export const HOST_NAMES_MAX = 64;
/** Addresses of one name: as many as others dial. */
export const HOST_ADDRESSES_MAX = 8;
/** An address stays until it was missing in so many answers in a row: a round robin shows a part of itself each time. */
export const ABSENCES_MAX = 3;
/** A name is asked for when its answer ends, within these. */
const ASK_MS = { least: 2000, most: 60_000 };
const RETRY_MS = { first: 1000, last: 60_000 };

interface Known {
  /** Address → answers in a row without it. */
  addresses: ReadonlyMap<string, number>;
  failures: number;
  timer: TimerHandle | undefined;
}

export interface HostNamesOptions {
  readonly lookup: Lookup;
  /** Somebody still asks for it. */
  readonly isWanted: (name: string) => boolean;
  /** Another answer than before. */
  readonly onChanged: () => void;
  readonly ports: {
    readonly timers: Timers;
    readonly random: Random;
    readonly log: Log;
    readonly metrics: Metrics;
  };
}

export class HostNames {
  readonly #options: HostNamesOptions;
  readonly #known = new Map<string, Known>();
  #isStopped = false;

  constructor(options: HostNamesOptions) {
    this.#options = options;
  }

  /**
   * Sorted addresses; undefined where there is no answer yet. From the first call on the name is kept up to date; `before` = what
   * is told of it at that time, by the last run say, and holds until there is an answer.
   */
  resolved(name: string, before: readonly string[]): readonly string[] | undefined {
    const known = this.#known.get(name) ?? this.#begin(name, before);
    if (known === undefined || known.addresses.size === 0) return undefined;
    return [...known.addresses.keys()].sort();
  }

  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#known.values()) timer?.cancel();
    this.#known.clear();
  }

  #begin(name: string, before: readonly string[]): Known | undefined {
    if (this.#known.size >= HOST_NAMES_MAX || this.#isStopped) return undefined;
    const known: Known = {
      addresses: new Map(before.map((address) => [address, 0])),
      failures: 0,
      timer: undefined,
    };
    this.#known.set(name, known);
    void this.#ask(name, known);
    return known;
  }

  async #ask(name: string, known: Known): Promise<void> {
    const answers = await this.#options.lookup(name);
    if (this.#isStopped) return;
    const { timers, metrics } = this.#options.ports;
    const { addresses, reason } = taken(known.addresses, answers);
    metrics.count("hansa_host_name_lookups_total", { outcome: reason === "" ? "answered" : "failed" });
    known.timer = timers.after(this.#delayMs(name, known, answers, reason), () => {
      if (this.#options.isWanted(name)) void this.#ask(name, known);
      else this.#known.delete(name);
    });
    const isOther = !sameJson([...known.addresses.keys()].sort(), [...addresses.keys()].sort());
    known.addresses = addresses;
    if (isOther) this.#options.onChanged();
  }

  /** Agents do not ask at the same time, nor at once again where nobody answers. */
  #delayMs(name: string, known: Known, answers: readonly FamilyAnswer[], reason: string): number {
    const { random, log } = this.#options.ports;
    if (reason === "") {
      known.failures = 0;
      const ttlMs = Math.min(...answers.map((answer) => (answer.kind === "answered" ? answer.ttlMs : 0)));
      return Math.max(ASK_MS.least, Math.min(ASK_MS.most, ttlMs)) * (1 + random.float() / 4);
    }
    known.failures += 1;
    if (known.failures === 1)
      log.warn("names: a gateway's host name is not resolved; its last addresses stay", {
        code: "HSA4012",
        name,
        reason,
      });
    return Math.min(RETRY_MS.last, RETRY_MS.first * 2 ** (known.failures - 1)) * (0.5 + random.float() / 2);
  }
}

/** What holds after these answers. A family that failed keeps what it had, and so do both where neither has an address. */
function taken(
  before: ReadonlyMap<string, number>,
  answers: readonly FamilyAnswer[],
): { readonly addresses: ReadonlyMap<string, number>; readonly reason: string } {
  const failed = answers.flatMap((answer) => (answer.kind === "failed" ? [answer.reason] : []));
  const found = new Set(answers.flatMap((answer) => (answer.kind === "answered" ? answer.addresses : [])));
  if (found.size === 0) return { addresses: before, reason: failed[0] ?? "it has no address" };
  const isSilent = (address: string): boolean => answers[isIPv6(address) ? 1 : 0]?.kind === "failed";
  const kept = [...before].flatMap(([address, absences]): [string, number][] => {
    if (found.has(address)) return [[address, 0]];
    if (isSilent(address)) return [[address, absences]];
    return absences + 1 < ABSENCES_MAX ? [[address, absences + 1]] : [];
  });
  const known = new Set(kept.map(([address]) => address));
  const added = [...found].filter((address) => !known.has(address)).sort();
  // A new address is worth more than one that is missing; beyond the bound those that are known stay.
  const all = [
    ...kept.filter(([, absences]) => absences === 0),
    ...added.map((address) => [address, 0] as const),
  ];
  const missing = kept.filter(([, absences]) => absences > 0);
  return { addresses: new Map([...all, ...missing].slice(0, HOST_ADDRESSES_MAX)), reason: failed[0] ?? "" };
}
