/**
 * Heartbeats: this agent's own every two seconds, and what others' say. Checks signature and order before anything
 * else; judges nothing itself but hands findings on.
 */
import type { AccountKey, Signer } from "@hansa/core";
import {
  type BusBeat,
  decodeHeartbeat,
  type Head,
  type Heartbeat,
  headsInTurn,
  isLaterBeat,
  type LogBus,
  signHeartbeat,
  verifyHeartbeat,
} from "@hansa/events";
import type { BeatFindings, Federation } from "@hansa/model";
import type { Ports } from "../ports.ts";
import { bootAbove, nextBoot, outliveNext } from "./boot.ts";

export const BEAT_MS = 2000;
/** So long after the last beat of another agent of this cluster this one speaks above it. */
const RIVAL_MS = 3 * BEAT_MS;

export interface BeatsOptions {
  readonly fed: Federation;
  readonly bus: LogBus;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly ports: Pick<Ports, "clock" | "timers" | "log" | "metrics" | "crypto" | "disk">;
  readonly own: () => Heartbeat["own"];
  readonly acked: () => readonly Head[];
  /** A fresh, verified beat; `live` false for one that was read from storage and proves nothing about now. */
  readonly onBeat: (beat: Heartbeat, findings: BeatFindings, live: boolean) => void;
}

export class Beats {
  readonly #options: BeatsOptions;
  #bootMs: number;
  #rival: { readonly bootMs: number; readonly heardMs: number } | undefined;
  readonly #last = new Map<AccountKey, Pick<Heartbeat, "bootMs" | "counter">>();
  #counter = 0;
  #sentMs = Number.POSITIVE_INFINITY;
  #stops: (() => void)[] = [];

  constructor(options: BeatsOptions) {
    this.#options = options;
    this.#bootMs = nextBoot(options.ports);
  }

  async start(): Promise<void> {
    const { bus, ports } = this.#options;
    this.#stops.push(await bus.beats((beat) => this.#receive(beat, true)));
    const timer = ports.timers.every(BEAT_MS, () => void this.send());
    this.#stops.push(() => timer.cancel());
    this.#stops.push(bus.connection((up) => (up ? void this.#connected() : undefined)));
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  async #connected(): Promise<void> {
    await this.readLast();
    await this.send();
  }

  /** Takes in the last beats that the bus still holds: at each connection, and once members are known. */
  async readLast(): Promise<void> {
    try {
      for (const beat of await this.#options.bus.lastBeats()) this.#receive(beat, false);
    } catch {
      // The next live beats say the same.
    }
  }

  async send(): Promise<void> {
    const { bus, account, signer, fingerprint, fed, ports } = this.#options;
    const nowMs = ports.clock.monotonicMs();
    // Stopped meanwhile: of a replacement that came and went, the bus holds the last beat until the next own one.
    if (nowMs - this.#sentMs > RIVAL_MS) await this.readLast();
    this.#sentMs = nowMs;
    this.#outlive();
    const turn = this.#counter;
    const evidence = fed.evidence(turn);
    const beat: Heartbeat = {
      source: account,
      bootMs: this.#bootMs,
      counter: this.#counter++,
      own: this.#options.own(),
      known: headsInTurn(
        fed.heads().filter((head) => head.source !== account),
        turn,
      ),
      acked: headsInTurn(this.#options.acked(), turn),
      committed: [],
      ...(evidence.length === 0 ? {} : { evidence }),
    };
    try {
      await bus.publishBeat(signHeartbeat(beat, signer, fingerprint, ports.crypto));
    } catch (error) {
      ports.log.warn("beat: not sent", { reason: String(error) });
    }
  }

  /** A beat in the own name of a start that counts as later than this one. */
  #recall(bytes: Uint8Array, live: boolean): void {
    const { account, signer, fingerprint, ports } = this.#options;
    const signed = decodeHeartbeat(bytes);
    if (signed?.beat.source !== account || signed.beat.bootMs <= this.#bootMs) return;
    if (!verifyHeartbeat(signed, signer.publicKey, fingerprint, ports.crypto)) return;
    const { bootMs } = signed.beat;
    if (live && bootMs !== this.#rival?.bootMs) outliveNext(ports, bootMs);
    if (live) this.#rival = { bootMs, heardMs: ports.clock.monotonicMs() };
    else this.#bootMs = bootAbove(ports, bootMs);
  }

  /** Another agent of this cluster was heard instead of this one, and is heard no more. */
  #outlive(): void {
    const { ports } = this.#options;
    if (this.#rival === undefined || ports.clock.monotonicMs() - this.#rival.heardMs < RIVAL_MS) return;
    if (this.#rival.bootMs > this.#bootMs) this.#bootMs = bootAbove(ports, this.#rival.bootMs);
    this.#rival = undefined;
  }

  #receive({ account, bytes }: BusBeat, live: boolean): void {
    const { fed, fingerprint, ports } = this.#options;
    if (account === this.#options.account) this.#recall(bytes, live);
    if (account === this.#options.account && live) return;
    const source = fed.source(account);
    const signed = decodeHeartbeat(bytes);
    // Not known yet is no finding: beats come before memberships at a start.
    if (source === undefined || !source.live) return;
    if (
      signed === undefined ||
      signed.beat.source !== account ||
      !verifyHeartbeat(signed, source.signingKey, fingerprint, ports.crypto)
    ) {
      ports.metrics.count("hansa_quarantined_total", { source: source.cluster, code: "HSA2004" });
      return;
    }
    const last = this.#last.get(account);
    if (last !== undefined && !isLaterBeat(signed.beat, last)) return;
    this.#last.set(account, { bootMs: signed.beat.bootMs, counter: signed.beat.counter });
    this.#options.onBeat(signed.beat, fed.observeBeat(signed.beat), live);
  }
}
