/**
 * What members' heartbeats say against the archive: counted, told, and answered with the signed part of what is held.
 * The fold is asked and not told, so nothing freezes by it here: what beats say is in no archive. Members' folds freeze.
 */
import {
  contradict,
  EVIDENCE_PER_BEAT_MAX,
  type Head,
  type Heartbeat,
  type RecordEvidence,
  verifyEvidence,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LeaderContext } from "../context.ts";

export const SHOWN_MAX = 64;

export class Disputes {
  readonly #hub: LeaderContext;
  /** By log and speaker, the newest last. */
  readonly #shown = new Map<string, RecordEvidence>();

  constructor(hub: LeaderContext) {
    this.#hub = hub;
  }

  /** `contradicted`: the beat's claims to which the archive holds another record. */
  hear(beat: Heartbeat, contradicted: readonly Head[], fed: Federation): void {
    for (const claim of contradicted) {
      this.#show(beat, fed.evidenceAt(claim));
      if (claim.source === beat.source) this.#proved(beat, claim, fed);
      else this.#told(beat, claim, fed);
    }
    for (const evidence of beat.evidence ?? []) {
      const held = fed.evidenceAt(evidence);
      if (held === undefined || !contradict(held, evidence, this.#hub.crypto)) continue;
      const { fingerprint } = this.#hub.keys;
      const key = fed.source(evidence.source)?.signingKey ?? new Uint8Array();
      if (!verifyEvidence(evidence, key, fingerprint, this.#hub.crypto)) continue;
      this.#show(beat, held);
      this.#proved(beat, evidence, fed);
    }
  }

  /** For the hub's next beat; where there is more, beats take turns. */
  evidence(turn: number): readonly RecordEvidence[] {
    const all = [...this.#shown.values()];
    if (all.length <= EVIDENCE_PER_BEAT_MAX) return all;
    const start = (turn * EVIDENCE_PER_BEAT_MAX) % all.length;
    return [...all, ...all].slice(start, start + EVIDENCE_PER_BEAT_MAX);
  }

  #show(beat: Heartbeat, held: RecordEvidence | undefined): void {
    if (held === undefined) return;
    const name = `${held.source} ${held.lane} ${beat.source}`;
    this.#shown.delete(name);
    this.#shown.set(name, held);
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > SHOWN_MAX && oldest !== undefined) this.#shown.delete(oldest);
  }

  #told(beat: Heartbeat, at: Omit<Head, "head">, fed: Federation): void {
    const about = aboutOf(beat, at, fed);
    const { source, seenBy: speaker } = about;
    this.#hub.metrics.count("hansa_disputes_total", { source, speaker });
    this.#hub.log.warn("a log is disputed", { code: "HSA2014", ...about });
  }

  #proved(beat: Heartbeat, at: Omit<Head, "head">, fed: Federation): void {
    const about = aboutOf(beat, at, fed);
    this.#hub.metrics.count("hansa_hub_equivocations_total", { source: about.source });
    this.#hub.log.error("equivocation", { code: "HSA2008", ...about });
  }
}

const aboutOf = (beat: Heartbeat, { source, lane, epoch, seq }: Omit<Head, "head">, fed: Federation) => ({
  source: fed.source(source)?.cluster ?? source,
  lane,
  epoch,
  seq,
  seenBy: fed.source(beat.source)?.cluster ?? beat.source,
});
