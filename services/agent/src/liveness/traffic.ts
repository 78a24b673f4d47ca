/**
 * Calls that succeed count as a good probe (federation §1.6): whether local Envoys have counted successes at a peer's
 * gateways since the last look. Looks only while a probe fails, since Envoy's answer grows with its clusters.
 */
import { request } from "node:http";
import type { Clock } from "@hansa/core";
import type { AdminPlace } from "@hansa/xds";

/** Where a look is older than this, calls of before the trouble would count. */
const LOOK_AGE_MAX_MS = 3000;
/** A look must not hold up the next probe. */
const TIMEOUT_MS = 300;
const ENVOYS_MAX = 8;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

export interface Gateway {
  readonly address: string;
  readonly port: number;
}

export class TrafficEvidence {
  readonly #clock: Clock;
  readonly #envoys: () => readonly AdminPlace[];
  readonly #looks = new Map<string, { readonly successes: number; readonly atMs: number }>();

  /** `envoys`: admin interfaces of local callers. */
  constructor(clock: Clock, envoys: () => readonly AdminPlace[]) {
    this.#clock = clock;
    this.#envoys = envoys;
  }

  /** True where more has succeeded than at a look of a moment ago; the first look alone tells nothing. */
  async reaches(peer: string, gateways: readonly Gateway[]): Promise<boolean> {
    const envoys = this.#envoys().slice(0, ENVOYS_MAX);
    const answers = await Promise.all(envoys.map(clustersOf));
    const successes = answers.reduce<number>((sum, answer) => sum + successesAt(gateways, answer), 0);
    const atMs = this.#clock.monotonicMs();
    const before = this.#looks.get(peer);
    this.#looks.set(peer, { successes, atMs });
    return before !== undefined && atMs - before.atMs <= LOOK_AGE_MAX_MS && successes > before.successes;
  }
}

/** Answer of `/clusters?format=json`, or null. */
function clustersOf(place: AdminPlace): Promise<unknown> {
  const where = "path" in place ? { socketPath: place.path } : { host: place.address, port: place.port };
  return new Promise((resolve) => {
    const asked = request({ ...where, path: "/clusters?format=json", agent: false }, (response) => {
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      response.on("data", (part: Buffer) => {
        parts.push(part);
        sizeBytes += part.length;
        if (sizeBytes > ANSWER_BYTES_MAX) asked.destroy();
      });
      response.on("end", () => resolve(parse(Buffer.concat(parts).toString("utf8"))));
      response.on("error", () => resolve(null));
    });
    asked.setTimeout(TIMEOUT_MS, () => asked.destroy());
    asked.on("error", () => resolve(null));
    asked.on("close", () => resolve(null));
    asked.end();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Requests that succeeded at these addresses; plain TCP has no such count. Total: what does not fit counts nothing. */
export function successesAt(gateways: readonly Gateway[], answer: unknown): number {
  const places = new Set(gateways.map(({ address, port }) => `${address} ${port}`));
  const hosts = items(answer, "cluster_statuses").flatMap((cluster) => items(cluster, "host_statuses"));
  let successes = 0;
  for (const host of hosts) {
    const { address, port_value: port } = field(field(host, "address"), "socket_address");
    if (!places.has(`${address} ${port}`)) continue;
    const stat = items(host, "stats").find((one) => field(one).name === "rq_success");
    successes += Number(field(stat).value ?? 0) || 0;
  }
  return successes;
}

type Fields = Readonly<Record<string, unknown>>;

function field(of: unknown, name?: string): Fields {
  const fields = typeof of === "object" && of !== null ? (of as Fields) : {};
  return name === undefined ? fields : field(fields[name]);
}

const items = (of: unknown, name: string): readonly unknown[] => {
  const value = field(of)[name];
  return Array.isArray(value) ? value : [];
};
