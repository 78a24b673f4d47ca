/** LogBus on NATS JetStream, the same for a cluster's account and for the hub's: only the subjects differ. */
import { type AccountKey, assert, fromUtf8, HansaError } from "@hansa/core";
import {
  type BusBeat,
  type BusRecord,
  HEARTBEAT_BYTES_MAX,
  type Lane,
  type LogBus,
  type PublishOutcome,
  type Unsubscribe,
  type WireRecord,
} from "@hansa/events";
import type { Msg } from "nats";
import { type BusConnection, reasonOf } from "./connection.ts";
import { getBatch, getLast, readIncarnation } from "./direct-get.ts";
import { MESSAGE_BYTES_MAX, READ_MAX } from "./limits.ts";
import * as message from "./message.ts";
import * as subjects from "./subjects.ts";

/** The fence refused: `wrong last sequence` (JSStreamWrongLastSequenceErrF). */
const WRONG_LAST_SEQUENCE = 10071;

interface PubAck {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

export class NatsLogBus implements LogBus {
  readonly account: AccountKey;
  readonly #connection: BusConnection;
  readonly #subjects: subjects.SubjectMap;

  constructor(account: AccountKey, connection: BusConnection, map: subjects.SubjectMap) {
    this.account = account;
    this.#connection = connection;
    this.#subjects = map;
    void connection.subscribe(subjects.TAIL_INCARNATION, () => connection.renewed());
  }

  async publish(record: WireRecord, expectedStreamSeq: number): Promise<PublishOutcome> {
    const headers = message.recordHeaders(record, expectedStreamSeq);
    if (record.body.length > MESSAGE_BYTES_MAX)
      throw new HansaError(
        "HSA2002",
        `record: ${record.body.length} bytes, at most ${MESSAGE_BYTES_MAX} fit the bus`,
      );
    if (!this.#connection.up) return { kind: "unknown", reason: "not connected" };
    let answer: Msg;
    try {
      answer = await this.#connection.client.request(this.#subjects.log(record.header.lane), record.body, {
        headers,
        timeout: this.#connection.requestTimeoutMs,
      });
    } catch (error) {
      return { kind: "unknown", reason: reasonOf(error) };
    }
    return outcomeOf(answer.data);
  }

  async lastOwn(lane: Lane): Promise<BusRecord | null> {
    const subject = subjects.fedSubject(this.account, lane);
    const last = await getLast(this.#connection, this.#subjects.getFed, subject);
    return last === null ? null : storedRecord(last, { account: this.account, lane });
  }

  async read(
    of: { readonly account: AccountKey; readonly lane: Lane } | null,
    fromStreamSeq: number,
    max: number,
  ): Promise<BusRecord[]> {
    assert(max >= 1 && max <= READ_MAX, `bus read: max is 1 to ${READ_MAX}`);
    const subject = of === null ? subjects.FED_SUBJECTS : subjects.fedSubject(of.account, of.lane);
    const records: BusRecord[] = [];
    await getBatch(this.#connection, this.#subjects.getFed, subject, fromStreamSeq, max, (stored) => {
      const at = message.storedSubject(stored);
      if (at?.kind !== "log") return false;
      records.push(storedRecord(stored, at));
      return true;
    });
    return records;
  }

  tail(handle: (record: BusRecord) => void): Promise<Unsubscribe> {
    return this.#connection.subscribe(subjects.TAIL_SUBJECTS, (live) => {
      const at = subjects.parseSubject(live.subject);
      const streamSeq = message.storedSequence(live);
      if (at?.kind !== "log" || streamSeq === 0) return;
      const previousStreamSeq = message.republishedPrevious(live);
      handle(message.toBusRecord(live, { account: at.account, lane: at.lane, streamSeq, previousStreamSeq }));
    });
  }

  /** Without an acknowledgement: the next beat is two seconds away. Dropped while the bus is down. */
  publishBeat(bytes: Uint8Array): Promise<void> {
    if (bytes.length > HEARTBEAT_BYTES_MAX)
      throw new HansaError(
        "HSA2002",
        `heartbeat: ${bytes.length} bytes, at most ${HEARTBEAT_BYTES_MAX} are sent`,
      );
    if (this.#connection.up) this.#connection.client.publish(this.#subjects.beat, bytes);
    return Promise.resolve();
  }

  beats(handle: (beat: BusBeat) => void): Promise<Unsubscribe> {
    return this.#connection.subscribe(subjects.TAIL_BEATS, (live) => {
      const at = subjects.parseSubject(live.subject);
      if (at?.kind === "beat") handle({ account: at.account, bytes: message.ownBytes(live) });
    });
  }

  async lastBeats(): Promise<BusBeat[]> {
    const beats: BusBeat[] = [];
    const { getBeat } = this.#subjects;
    await getBatch(
      this.#connection,
      getBeat,
      subjects.BEAT_SUBJECTS,
      1,
      Number.MAX_SAFE_INTEGER,
      (stored) => {
        const at = message.storedSubject(stored);
        if (at?.kind === "beat") beats.push({ account: at.account, bytes: message.ownBytes(stored) });
        return true;
      },
    );
    return beats;
  }

  connection(handle: (up: boolean) => void): Unsubscribe {
    return this.#connection.watch(handle);
  }

  get refusal(): string {
    return this.#connection.refusal;
  }

  incarnation(): Promise<string> {
    return readIncarnation(this.#connection, this.#subjects.getFed);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

function storedRecord(stored: Msg, at: { readonly account: AccountKey; readonly lane: Lane }): BusRecord {
  return message.toBusRecord(stored, {
    account: at.account,
    lane: at.lane,
    streamSeq: message.storedSequence(stored),
    previousStreamSeq: message.fencedPrevious(stored),
  });
}

/** A refusal arrives in the body of the answer, not as an exception. */
function outcomeOf(body: Uint8Array): PublishOutcome {
  const ack = parseAck(body);
  if (ack?.error?.err_code === WRONG_LAST_SEQUENCE) return { kind: "refused" };
  if (ack?.error !== undefined)
    return { kind: "unknown", reason: `${ack.error.err_code ?? ""} ${ack.error.description ?? ""}`.trim() };
  if (typeof ack?.seq === "number" && ack.seq > 0) return { kind: "stored", streamSeq: ack.seq };
  return { kind: "unknown", reason: "the answer does not decode" };
}

function parseAck(body: Uint8Array): PubAck | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8(body) ?? "");
    return typeof value === "object" && value !== null ? (value as PubAck) : undefined;
  } catch {
    return undefined;
  }
}
