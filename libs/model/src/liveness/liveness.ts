/**
 * Liveness of all peers as one importer holds it: both kinds of evidence, self-doubt and the verdicts. A state machine
 * with explicit inputs: it reads no clock and starts no timer. Whoever drives it feeds beats, records, probe results
 * and ticks, and writes each transition as a `link/<peer>` event.
 *
 * Two promises: silence of the control plane alone never takes an endpoint away, and an importer that doubts itself
 * makes no verdict worse.
 */
import type { Code } from "@hansa/core";
import type { Lane, LeaseState, LinkState, LinkValue, Position } from "@hansa/events";
import { type Doubt, mostFail } from "./doubt.ts";
import { extendLease, type Lease, newLease, renewByBeat, renewByRecord } from "./lease.ts";
import {
  excuseFailures,
  NEW_PROBE,
  type ProbeResult,
  type ProbeTrack,
  probeStep,
  startAnew,
} from "./probe.ts";
import { LIVENESS_DEFAULT, type LivenessSettings } from "./settings.ts";
import { isWorse, verdictOf } from "./verdict.ts";

export interface Moment {
  /** For leases, windows and hold-downs. */
  readonly monotonicMs: number;
  /** For people: `sinceMs` of a link. */
  readonly wallMs: number;
}

export type LivenessInput =
  /** `previous`: the importer's own last link register; a restart goes on from it. */
  | { readonly kind: "follow"; readonly peer: string; readonly previous?: LinkValue | undefined }
  | { readonly kind: "forget"; readonly peer: string }
  /** A beat whose signature was verified. */
  | { readonly kind: "beat"; readonly peer: string; readonly bootMs: number; readonly counter: number }
  /** A record whose signature was verified. */
  | { readonly kind: "record"; readonly peer: string; readonly lane: Lane; readonly position: Position }
  | { readonly kind: "probe"; readonly peer: string; readonly result: ProbeResult }
  /** Requests to the peer succeeded since the last look at Envoy's statistics: as good as a probe. */
  | { readonly kind: "traffic"; readonly peer: string }
  | { readonly kind: "bus"; readonly up: boolean }
  /** The importer's own loop ran this much late. */
  | { readonly kind: "lag"; readonly lagMs: number }
  /** At least once a second. */
  | { readonly kind: "tick" };

export interface Transition {
  readonly peer: string;
  readonly before: LinkValue | undefined;
  readonly value: LinkValue;
}

export interface Alarm {
  readonly code: Code;
  /** "" for the importer itself. */
  readonly peer: string;
  readonly message: string;
}

interface Peer {
  readonly lease: Lease;
  readonly leaseState: LeaseState;
  readonly probe: ProbeTrack;
  readonly value: LinkValue;
  /** False until the first transition was given out. */
  readonly told: boolean;
}

export class Liveness {
  readonly #settings: LivenessSettings;
  readonly #peers = new Map<string, Peer>();
  #busUp = true;
  #lagUntilMs = Number.NEGATIVE_INFINITY;
  #doubted = false;

  constructor(settings: LivenessSettings = LIVENESS_DEFAULT) {
    this.#settings = settings;
  }

  /** Total: an input that names an unknown peer changes nothing. Every changed link is in the answer once. */
  step(input: LivenessInput, at: Moment): Transition[] {
    return this.#take(input, at.monotonicMs, at.wallMs) ? this.#judge(at) : [];
  }

  /** As last told, with the newest round trip. */
  link(name: string): LinkValue | undefined {
    const peer = this.#peers.get(name);
    return peer === undefined ? undefined : { ...peer.value, rttMs: peer.probe.rttMs };
  }

  peers(): string[] {
    return [...this.#peers.keys()].sort();
  }

  doubt(at: Moment): Doubt {
    if (!this.#busUp) return "bus";
    if (at.monotonicMs < this.#lagUntilMs) return "lag";
    const probes = [...this.#peers.values()].map(({ probe }) => probe);
    return mostFail(probes, at.monotonicMs, this.#settings.doubtWindowMs) ? "probes" : "none";
  }

  /** What an operator should look at now. */
  alarms(at: Moment): Alarm[] {
    const doubt = this.doubt(at);
    const own: Alarm[] = doubt === "none" ? [] : [{ code: "HSA4003", peer: "", message: DOUBT_TEXT[doubt] }];
    return [...own, ...this.peers().flatMap((peer) => this.#alarm(peer, at))];
  }

  #alarm(name: string, at: Moment): Alarm[] {
    const { value } = this.#peers.get(name)!;
    if (value.state === "normal") return [];
    const code = ALARM_CODE[value.state];
    const forMs = at.wallMs - value.sinceMs;
    const over = value.state === "stale" && forMs > this.#settings.staleMaxMs;
    const limit = over
      ? `, longer than the limit of ${Math.round(this.#settings.staleMaxMs / 3_600_000)} h`
      : "";
    const stage = value.stage === "" ? "" : ` (probe fails at ${value.stage})`;
    const message = `${name}: ${value.state} for ${Math.max(0, Math.round(forMs / 1000))} s${limit}${stage}`;
    return [{ code, peer: name, message }];
  }

  /** False where nothing but the life of a lease that is alive anyway has changed: the next tick is soon enough. */
  #take(input: LivenessInput, nowMs: number, wallMs: number): boolean {
    const { leaseExpiryMs } = this.#settings;
    switch (input.kind) {
      case "follow":
        if (this.#peers.has(input.peer)) return false;
        this.#peers.set(input.peer, this.#start(input.previous, nowMs, wallMs));
        return true;
      case "forget":
        return this.#peers.delete(input.peer);
      case "beat":
        return this.#renew(input.peer, (lease) => renewByBeat(lease, input, nowMs, leaseExpiryMs));
      case "record":
        return this.#renew(input.peer, (lease) =>
          renewByRecord(lease, input.lane, input.position, nowMs, leaseExpiryMs),
        );
      case "probe":
        this.#probe(input.peer, input.result, nowMs);
        return true;
      case "traffic":
        this.#probe(input.peer, { ok: true, rttMs: null }, nowMs);
        return true;
      case "bus":
        this.#bus(input.up, nowMs);
        return true;
      case "lag":
        this.#lag(input.lagMs, nowMs);
        return true;
      case "tick":
        return true;
    }
  }

  #renew(name: string, renew: (lease: Lease) => Lease): boolean {
    const wasLost = this.#peers.get(name)?.leaseState === "lost";
    this.#change(name, ({ lease }) => ({ lease: renew(lease) }));
    return wasLost;
  }

  #probe(name: string, result: ProbeResult, nowMs: number): void {
    this.#change(name, ({ probe }) => ({ probe: probeStep(probe, result, nowMs, this.#settings) }));
  }

  #start(previous: LinkValue | undefined, nowMs: number, wallMs: number): Peer {
    const lost = previous?.lease === "lost";
    const value: LinkValue = previous ?? {
      lease: "ok",
      probe: "unknown",
      state: "normal",
      stage: "",
      sinceMs: wallMs,
      rttMs: null,
      selfDoubt: false,
    };
    const probe = { ...NEW_PROBE, state: value.probe, stage: value.stage, rttMs: value.rttMs };
    return {
      lease: newLease(nowMs, lost ? 0 : this.#settings.leaseExpiryMs),
      leaseState: value.lease,
      // Failures of an importer that doubted itself say nothing after its restart either.
      probe: value.selfDoubt ? startAnew(probe) : probe,
      value,
      told: previous !== undefined,
    };
  }

  #change(name: string, change: (peer: Peer) => Partial<Peer>): void {
    const peer = this.#peers.get(name);
    if (peer !== undefined) this.#peers.set(name, { ...peer, ...change(peer) });
  }

  /** While the bus is down nobody can be heard; afterwards everybody gets a whole lease to speak up. */
  #bus(up: boolean, nowMs: number): void {
    if (up && !this.#busUp) this.#grace(nowMs);
    this.#busUp = up;
  }

  /** Beats that waited in our queues and probes that timed out while we stood still accuse nobody. */
  #lag(lagMs: number, nowMs: number): void {
    if (lagMs <= this.#settings.loopLagMaxMs) return;
    this.#lagUntilMs = Math.max(this.#lagUntilMs, nowMs + this.#settings.doubtWindowMs);
    this.#grace(nowMs);
    for (const name of this.#peers.keys())
      this.#change(name, ({ probe }) => ({ probe: excuseFailures(probe) }));
  }

  #grace(nowMs: number): void {
    const untilMs = nowMs + this.#settings.leaseExpiryMs;
    for (const name of this.#peers.keys())
      this.#change(name, ({ lease, leaseState }) =>
        leaseState === "lost" ? {} : { lease: extendLease(lease, untilMs) },
      );
  }

  #judge(at: Moment): Transition[] {
    const doubt = this.doubt(at);
    for (const name of this.#peers.keys())
      this.#change(name, (peer) => ({ leaseState: this.#leaseState(peer, doubt, at) }));
    if (this.#doubted && doubt === "none") this.#excuseWithheld();
    this.#doubted = doubt !== "none";
    const transitions: Transition[] = [];
    for (const [name, peer] of this.#peers) {
      const value = this.#valueOf(name, peer, doubt, at);
      if (peer.told && sameVerdict(peer.value, value)) continue;
      transitions.push({ peer: name, before: peer.told ? peer.value : undefined, value });
      this.#peers.set(name, { ...peer, value, told: true });
    }
    return transitions;
  }

  /**
   * What was not believed in doubt is not believed afterwards either: the way to one peer may be back a second before the
   * way to another. Fresh failures count.
   */
  #excuseWithheld(): void {
    for (const name of this.#peers.keys())
      this.#change(name, ({ leaseState, probe, value }) =>
        isWorse(verdictOf(leaseState, probe.state), value.state) ? { probe: startAnew(probe) } : {},
      );
  }

  /** Silence counts only while this importer could have heard something. */
  #leaseState({ lease, leaseState }: Peer, doubt: Doubt, at: Moment): LeaseState {
    if (at.monotonicMs < lease.deadlineMs) return "ok";
    return doubt === "bus" || doubt === "lag" ? leaseState : "lost";
  }

  #valueOf(name: string, peer: Peer, doubt: Doubt, at: Moment): LinkValue {
    const before = peer.value;
    const verdict = verdictOf(peer.leaseState, peer.probe.state);
    const state =
      isWorse(verdict, before.state) && !this.#mayWorsen(name, verdict, doubt) ? before.state : verdict;
    return {
      lease: peer.leaseState,
      probe: peer.probe.state,
      state,
      stage: peer.probe.stage,
      sinceMs: state === before.state ? before.sinceMs : at.wallMs,
      rttMs: peer.probe.rttMs,
      selfDoubt: doubt !== "none",
    };
  }

  /**
   * In doubt over the probes a peer is still lost where the two kinds of evidence agree and a witness, a peer that is
   * well by both, shows that this importer can be reached and can reach: half a federation may really die at once.
   */
  #mayWorsen(name: string, verdict: LinkState, doubt: Doubt): boolean {
    if (doubt === "none") return true;
    if (doubt !== "probes" || verdict !== "lost") return false;
    return [...this.#peers].some(
      ([other, { leaseState, probe }]) =>
        other !== name && leaseState === "ok" && probe.state === "ok" && probe.failures === 0,
    );
  }
}

/** A round trip alone is no transition: it would be an event a second. */
const sameVerdict = (a: LinkValue, b: LinkValue): boolean =>
  a.lease === b.lease &&
  a.probe === b.probe &&
  a.state === b.state &&
  a.stage === b.stage &&
  a.selfDoubt === b.selfDoubt;

const ALARM_CODE: Readonly<Record<Exclude<LinkState, "normal">, Code>> = {
  unreachable: "HSA4001",
  stale: "HSA4002",
  lost: "HSA4008",
};

const DOUBT_TEXT: Readonly<Record<Exclude<Doubt, "none">, string>> = {
  bus: "own bus is down: leases are not judged and nothing is withdrawn",
  lag: "own loop was late: nothing is withdrawn",
  probes: "most probes fail at once: nothing is withdrawn on their evidence",
};
