/**
 * Constant calls through callers' sidecars for as long as the rounds last, at a fixed rate whatever comes back. Owns the
 * count of what failed; judges nothing.
 */
import { type Caller, grpcCaller, httpCaller, type Outcome } from "../../services/cli/src/lab/callers.ts";
import type { LabPlace } from "../../services/cli/src/shell/lab-client.ts";

export interface Flow {
  /** `<cluster of the caller>→<service>`. */
  readonly name: string;
  readonly cluster: string;
  readonly service: string;
  /** Sent again by the sidecar on everything that failed. A gRPC call is a POST: only where no server can have acted. */
  readonly retried: boolean;
}

export const FLOWS: readonly Flow[] = [
  { name: "eu→pay", cluster: "eu", service: "pay", retried: true },
  { name: "us→cart", cluster: "us", service: "cart", retried: true },
  { name: "ap→quote", cluster: "ap", service: "quote", retried: false },
];

export interface Failure {
  readonly flow: Flow;
  readonly atMs: number;
  readonly tookMs: number;
  readonly status: string;
  readonly detail: string;
}

export interface LoadSince {
  readonly sent: number;
  readonly failures: readonly Failure[];
}

/** Of one flow: 150 in all. */
const CALLS_PER_SECOND = 50;
const TICK_MS = 10;

export class Load {
  readonly #flows: readonly {
    readonly flow: Flow;
    readonly caller: Caller;
    readonly open: Map<number, number>;
  }[];
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  #begun = 0;
  #sent = 0;
  #failures: Failure[] = [];

  constructor(place: LabPlace) {
    this.#flows = FLOWS.map((flow) => ({ flow, caller: callerOf(flow, place), open: new Map() }));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Of calls that have ended since the last time that this was asked. */
  take(): LoadSince {
    const since = { sent: this.#sent, failures: this.#failures };
    this.#sent = 0;
    this.#failures = [];
    return since;
  }

  /** Calls that wait for their answer now, by the flow's name. */
  inFlight(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#flows.map(({ flow, open }) => [flow.name, open.size]));
  }

  /** Age of the call that has waited longest, ms. */
  oldestMs(): number {
    const nowMs = performance.now();
    return Math.max(
      0,
      ...this.#flows.flatMap(({ open }) => [...open.values()].map((begun) => nowMs - begun)),
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const { caller } of this.#flows) caller.close();
  }

  #tick(): void {
    const due = Math.floor(((performance.now() - this.#startMs) * CALLS_PER_SECOND) / 1000);
    for (; this.#begun < due; this.#begun += 1)
      for (const { flow, caller, open } of this.#flows) void this.#call(flow, caller, open, this.#begun);
  }

  async #call(flow: Flow, caller: Caller, open: Map<number, number>, number: number): Promise<void> {
    const atMs = performance.now();
    open.set(number, atMs);
    const { ok, status, detail, latencyMs: tookMs }: Outcome = await caller.call();
    open.delete(number);
    this.#sent += 1;
    if (!ok) this.#failures.push({ flow, atMs, tookMs, status, detail });
  }
}

function callerOf({ cluster, service }: Flow, place: LabPlace): Caller {
  const from = place.replicas.find((one) => one.cluster === cluster && one.workload === "web");
  const port = place.services.find(({ name }) => name === service)?.ports[0];
  if (from === undefined || port === undefined)
    throw new Error(`${cluster} → ${service}: not in the topology`);
  const authority = `${service}.shop.svc.clusterset.local:${port.port}`;
  const dial = { address: from.address, port: place.outboundPort, authority, path: "/" };
  return port.protocol === "grpc" ? grpcCaller(dial) : httpCaller(dial);
}
