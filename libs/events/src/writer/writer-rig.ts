/** What the specs of the writer share. */
import { decodeBody } from "../decode.ts";
import type { Event, RegisterEvent, WireRecord } from "../event.ts";
import type { BusRecord } from "../log-bus.ts";
import { rigAccount, rigCrypto, rigSigner } from "../rig.ts";
import { LaneWriter } from "./lane-writer.ts";
import type { LaneWriterOptions } from "./types.ts";

export const signer = rigSigner(1);
export const source = rigAccount("eu");
export const fingerprint = "a".repeat(64);

export const make = (more: Partial<LaneWriterOptions> = {}): LaneWriter =>
  new LaneWriter({ source, lane: "sum", signer, fingerprint, crypto: rigCrypto, ...more });

/** A writer of one register that may write. */
export function opened(): LaneWriter {
  const writer = make();
  writer.set(want("us"));
  writer.synced();
  writer.open(null, 0);
  return writer;
}

export const want = (peer: string, nonce = "1"): RegisterEvent => ({
  type: "WantSet",
  v: 1,
  key: `want/${peer}`,
  at: 7,
  data: { nonce },
});

export const eventsOf = (record: WireRecord): readonly Event[] => {
  const decoded = decodeBody(record.body);
  if (decoded.kind === "poison") throw new Error(decoded.message);
  return decoded.events;
};
export const keysOf = (record: WireRecord): string[] =>
  eventsOf(record).map((event) => event.key || event.type);

export const onBus = (record: WireRecord, streamSeq: number): BusRecord => ({
  record,
  account: record.header.source,
  lane: record.header.lane,
  streamSeq,
  previousStreamSeq: 0,
});

/** The next record, which must be there. */
export function take(writer: LaneWriter): WireRecord {
  const next = writer.next();
  if (next === null) throw new Error("nothing to send");
  return next.record;
}
