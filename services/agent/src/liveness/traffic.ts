/**
 * Calls that succeed count as a good probe (federation §1.6): whether local Envoys have counted successes at a peer's
 * gateways since the last look. Looks only while a probe fails, since Envoy's answer grows with its clusters.
 */
import type { Clock } from "@hansa/core";
import { askEnvoy, type EnvoyPlace, fieldsOf, itemsOf } from "../proxy/envoy-admin.ts";

/** Where a look is older than this, calls of before the trouble would count. */
const LOOK_AGE_MAX_MS = 3000;
/** A look must not hold up the next probe. */
const LIMITS = { timeoutMs: 300, answerBytesMax: 8 * 1024 * 1024 };
const ENVOYS_MAX = 8;

export interface Gateway {
  readonly address: string;
  readonly port: number;
}

export class TrafficEvidence {
  readonly #clock: Clock;
  readonly #envoys: () => readonly EnvoyPlace[];
  readonly #looks = new Map<string, { readonly successes: number; readonly atMs: number }>();

  /** `envoys`: admin interfaces of local callers. */
  constructor(clock: Clock, envoys: () => readonly EnvoyPlace[]) {
    this.#clock = clock;
    this.#envoys = envoys;
  }

  /** True where more has succeeded than at a look of a moment ago; the first look alone tells nothing. */
  async reaches(peer: string, gateways: readonly Gateway[]): Promise<boolean> {
    const envoys = this.#envoys().slice(0, ENVOYS_MAX);
    const answers = await Promise.all(
      envoys.map((place) => askEnvoy(place, "/clusters?format=json", LIMITS)),
    );
    const successes = answers.reduce<number>((sum, answer) => sum + successesAt(gateways, answer), 0);
    const atMs = this.#clock.monotonicMs();
    const before = this.#looks.get(peer);
    this.#looks.set(peer, { successes, atMs });
    return before !== undefined && atMs - before.atMs <= LOOK_AGE_MAX_MS && successes > before.successes;
  }
}

/** Requests that succeeded at these addresses; plain TCP has no such count. Total: what does not fit counts nothing. */
export function successesAt(gateways: readonly Gateway[], answer: unknown): number {
  const places = new Set(gateways.map(({ address, port }) => `${address} ${port}`));
  const hosts = itemsOf(answer, "cluster_statuses").flatMap((cluster) => itemsOf(cluster, "host_statuses"));
  let successes = 0;
  for (const host of hosts) {
    const { address, port_value: port } = fieldsOf(fieldsOf(host, "address"), "socket_address");
    if (!places.has(`${address} ${port}`)) continue;
    const stat = itemsOf(host, "stats").find((one) => fieldsOf(one).name === "rq_success");
    successes += Number(fieldsOf(stat).value ?? 0) || 0;
  }
  return successes;
}
