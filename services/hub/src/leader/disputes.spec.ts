import type { AccountKey } from "@hansa/core";
import { EVIDENCE_PER_BEAT_MAX, type Head, type Heartbeat, type RecordEvidence } from "@hansa/events";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import type { LeaderContext } from "../context.ts";
import { Disputes, SHOWN_MAX } from "./disputes.ts";

test("what is held against so many claims is shown, the newest, in turns", () => {
  const hub = { metrics: { count: () => {} }, log: { warn: () => {}, error: () => {} } };
  const disputes = new Disputes(hub as unknown as LeaderContext);
  const fed = {
    evidenceAt: ({ source, lane }: Head) => ({ source, lane }) as RecordEvidence,
    source: () => undefined,
  } as unknown as Federation;
  const account = (number: number) => `A${number}` as AccountKey;
  const claim = (number: number) => ({ source: account(number), lane: "sum", epoch: 1, seq: 1 }) as Head;
  const beat = { source: "B" } as unknown as Heartbeat;
  for (let number = 0; number <= SHOWN_MAX; number++) disputes.hear(beat, [claim(number)], fed);
  const turns = Array.from({ length: SHOWN_MAX / EVIDENCE_PER_BEAT_MAX }, (_, turn) =>
    disputes.evidence(turn),
  );
  expect(turns.map(({ length }) => length)).toEqual(turns.map(() => EVIDENCE_PER_BEAT_MAX));
  const shown = turns.flat().map(({ source }) => source);
  expect(shown).toEqual(Array.from({ length: SHOWN_MAX }, (_, index) => account(index + 1)));
});
