/**
 * Drives the liveness of peers: follows members, feeds beats, records, probes and ticks, measures the own loop's lag,
 * and hands every change of a link on. All judgement is the model's.
 */
import type { ClusterName } from "@hansa/core";
import type { BusRecord, Heartbeat, LinkValue } from "@hansa/events";
import {
  type Alarm,
  type Federation,
  LIVENESS_DEFAULT,
  Liveness,
  type LivenessInput,
  type Moment,
  nextProbe,
} from "@hansa/model";
import type { Ports } from "../ports.ts";

const TICK_MS = 500;

/** One gateway of a peer, probed on a kept connection. */
export interface Prober {
  probe(): Promise<
    | { readonly ok: true; readonly rttMs: number }
    | { readonly ok: false; readonly stage: string; readonly message: string }
  >;
  close(): void;
}

export interface WatchOptions {
  readonly fed: Federation;
  readonly self: ClusterName;
  readonly ports: Pick<Ports, "clock" | "timers" | "random" | "log" | "metrics">;
  /** Own last link of a peer, so that a restart goes on from it. */
  readonly previous: (peer: string) => LinkValue | undefined;
  /** undefined while the peer has no gateway or no bundle: nothing is probed and nothing concluded. */
  readonly proberOf: (peer: ClusterName) => Prober;
  /** Whether calls to the peer succeed although its probe does not; asked when a probe has failed. */
  readonly trafficTo?: (peer: ClusterName) => Promise<boolean>;
  readonly onLink: (peer: ClusterName, link: LinkValue | null) => void;
}

interface Probed {
  readonly prober: Prober;
  stopped: boolean;
}

const STATE_NUMBER = { normal: 0, unreachable: 1, stale: 2, lost: 3 } as const;

export class LivenessWatch {
  readonly #options: WatchOptions;
  readonly #liveness = new Liveness();
  readonly #probed = new Map<ClusterName, Probed>();
  #lastTickMs: number;
  #stops: (() => void)[] = [];

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#lastTickMs = options.ports.clock.monotonicMs();
  }

  start(): void {
    const { timers, clock } = this.#options.ports;
    this.#lastTickMs = clock.monotonicMs();
    const timer = timers.every(TICK_MS, () => this.#tick());
    this.#stops.push(() => timer.cancel());
    this.members();
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    for (const peer of [...this.#probed.keys()]) this.#unprobe(peer);
  }

  link(peer: string): LinkValue | undefined {
    return this.#liveness.link(peer);
  }

  peers(): string[] {
    return this.#liveness.peers();
  }

  alarms(): Alarm[] {
    return this.#liveness.alarms(this.#now());
  }

  doubt(): string {
    return this.#liveness.doubt(this.#now());
  }

  beat({ source, bootMs, counter }: Heartbeat): void {
    const peer = this.#peerOf(source);
    if (peer !== undefined) this.#step({ kind: "beat", peer, bootMs, counter });
  }

  record({ account, lane, record }: BusRecord): void {
    const peer = this.#peerOf(account);
    const { epoch, seq } = record.header;
    if (peer !== undefined) this.#step({ kind: "record", peer, lane, position: { epoch, seq } });
  }

  bus(up: boolean): void {
    this.#step({ kind: "bus", up });
  }

  /** Membership may have changed: follow exactly the present peers. */
  members(): void {
    const present = new Set<ClusterName>();
    for (const { cluster, state } of this.#options.fed.members())
      if (cluster !== this.#options.self && (state === "active" || state === "draining"))
        present.add(cluster);
    for (const peer of this.#liveness.peers() as ClusterName[])
      if (!present.has(peer)) {
        this.#unprobe(peer);
        this.#step({ kind: "forget", peer });
        this.#options.onLink(peer, null);
      }
    for (const peer of present) {
      if (this.#probed.has(peer)) continue;
      this.#step({ kind: "follow", peer, previous: this.#options.previous(peer) });
      this.#startProbing(peer);
    }
  }

  #peerOf(account: string): ClusterName | undefined {
    const cluster = this.#options.fed.source(account)?.cluster;
    return cluster === undefined || cluster === "hub" || cluster === this.#options.self ? undefined : cluster;
  }

  #now(): Moment {
    const { clock } = this.#options.ports;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  }

  #tick(): void {
    const nowMs = this.#options.ports.clock.monotonicMs();
    const lagMs = Math.max(0, nowMs - this.#lastTickMs - TICK_MS);
    this.#lastTickMs = nowMs;
    this.#options.ports.metrics.gauge("hansa_loop_lag_seconds", lagMs / 1000);
    this.#step({ kind: "lag", lagMs });
    this.#step({ kind: "tick" });
    this.#options.ports.metrics.gauge("hansa_self_doubt", this.doubt() === "none" ? 0 : 1);
  }

  #step(input: LivenessInput): void {
    for (const { peer, before, value } of this.#liveness.step(input, this.#now())) {
      const { log, metrics } = this.#options.ports;
      metrics.gauge("hansa_link_state", STATE_NUMBER[value.state], { peer });
      if (before?.state !== value.state || before?.selfDoubt !== value.selfDoubt)
        log.info("liveness: link changed", {
          peer,
          from: before?.state ?? null,
          to: value.state,
          lease: value.lease,
          probe: value.probe,
          stage: value.stage,
          selfDoubt: value.selfDoubt,
        });
      this.#options.onLink(peer as ClusterName, value);
    }
  }

  #startProbing(peer: ClusterName): void {
    const probed: Probed = { prober: this.#options.proberOf(peer), stopped: false };
    this.#probed.set(peer, probed);
    void this.#probeLoop(peer, probed);
  }

  #unprobe(peer: ClusterName): void {
    const probed = this.#probed.get(peer);
    if (probed === undefined) return;
    probed.stopped = true;
    probed.prober.close();
    this.#probed.delete(peer);
  }

  async #probeLoop(peer: ClusterName, probed: Probed): Promise<void> {
    const { clock, timers, random, metrics, log } = this.#options.ports;
    let done = 0;
    let handshakeMs = clock.monotonicMs();
    while (!probed.stopped) {
      const plan = nextProbe(done, clock.monotonicMs() - handshakeMs, random.float(), LIVENESS_DEFAULT);
      if (plan.delayMs > 0) await timers.sleep(plan.delayMs);
      if (probed.stopped) return;
      if (plan.fullHandshake) {
        probed.prober.close();
        handshakeMs = clock.monotonicMs();
      }
      const result = await probed.prober.probe();
      done += 1;
      if (probed.stopped) return;
      if (result.ok) metrics.gauge("hansa_probe_rtt_seconds", result.rttMs / 1000, { peer });
      else {
        metrics.count("hansa_probe_failures_total", { peer, stage: result.stage });
        log.debug("liveness: probe failed", { peer, stage: result.stage, reason: result.message });
      }
      if (!result.ok && result.stage === "none") continue;
      const reached = !result.ok && (await this.#options.trafficTo?.(peer)) === true;
      if (probed.stopped) return;
      if (reached) {
        this.#step({ kind: "traffic", peer });
        continue;
      }
      this.#step({ kind: "probe", peer, result: result.ok ? result : { ok: false, stage: result.stage } });
    }
  }
}
