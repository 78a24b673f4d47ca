/**
 * The hub's durable pull consumer: hands the stream on in order, in batches of at most 1000 records or what arrived
 * within 10 ms. Where to begin is the archive's business, never the consumer's: it is made anew at each session, and any
 * doubt (a loss, a hole in deliveries, a new incarnation) ends the session and begins another at the checkpoint.
 */
import { assert } from "@hansa/core";
import type { BusRecord } from "@hansa/events";
import { type ConsumerConfig, createInbox, type Msg, type NatsConnection, nanos } from "nats";
import { type BusConnection, reasonOf } from "./connection.ts";
import { BATCH_RECORDS_MAX, BATCH_WAIT_MS, UNACKED_MAX } from "./limits.ts";
import { fencedPrevious, toBusRecord } from "./message.ts";
import { FED_STREAM, parseSubject } from "./subjects.ts";

export const PROJECTOR = "hub-projector";
const PULL_EXPIRES_MS = 5000;
/** A pull always ends with a message or a status; silence beyond this means a dead session. */
const SILENCE_MAX_MS = 2 * PULL_EXPIRES_MS;
const ACK_WAIT_MS = 300_000;
const RETRY_MS = 500;

export interface ConsumeOptions {
  /** First stream position to hand on, from the archive's checkpoint for that incarnation (1 where it has none). */
  start(incarnation: string): Promise<number>;
  /** In stream order, never two at a time. Acknowledged when it resolves; a rejection is logged and tried again. */
  handle(batch: readonly BusRecord[], incarnation: string): Promise<void>;
}

export interface Consumption {
  /** Resolves after the batch in hand. */
  stop(): Promise<void>;
}

interface Place {
  readonly streamSeq: number;
  readonly consumerSeq: number;
}

interface Delivered {
  readonly message: Msg;
  readonly streamSeq: number;
}

export function consumeFed(
  connection: BusConnection,
  incarnation: () => Promise<string>,
  options: ConsumeOptions,
): Consumption {
  let stopped = false;
  let session: Session | undefined;
  const run = async (): Promise<void> => {
    while (!stopped) {
      try {
        const current = await incarnation();
        const from = Math.max(1, await options.start(current));
        session = new Session(connection, current, options);
        if (!stopped) await session.run(from);
      } catch (error) {
        connection.log.warn("bus: projector feed interrupted", { reason: reasonOf(error) });
      }
      if (!stopped) await connection.timers.sleep(RETRY_MS);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped = true;
      session?.end();
      await running;
    },
  };
}

class Session {
  readonly #connection: BusConnection;
  readonly #incarnation: string;
  readonly #options: ConsumeOptions;
  readonly #inbox = createInbox();
  #buffer: Delivered[] = [];
  #outstanding = 0;
  #delivered = 0;
  #lastStreamSeq = 0;
  #ended = false;
  #problem: Error | undefined;
  #signal: () => void = () => {};

  constructor(connection: BusConnection, incarnation: string, options: ConsumeOptions) {
    this.#connection = connection;
    this.#incarnation = incarnation;
    this.#options = options;
  }

  end(problem?: Error): void {
    this.#ended = true;
    this.#problem ??= problem;
    this.#signal();
  }

  async run(from: number): Promise<void> {
    const client = this.#connection.client;
    await recreateConsumer(client, from);
    const subscription = client.subscribe(this.#inbox, {
      callback: (error, message) => (error === null ? this.#arrived(message) : this.end(error)),
    });
    const unwatch = this.#connection.watch((up) => {
      if (!up) this.end(new Error("disconnected"));
    });
    try {
      while (!this.#ended) await this.#step(client);
    } finally {
      unwatch();
      subscription.unsubscribe();
    }
    if (this.#problem !== undefined) throw this.#problem;
  }

  async #step(client: NatsConnection): Promise<void> {
    if (this.#outstanding === 0 && this.#buffer.length < BATCH_RECORDS_MAX) this.#pull(client);
    if (this.#buffer.length === 0) {
      await this.#wait(SILENCE_MAX_MS, () => this.end(new Error("the pull is silent")));
      // What arrives while a batch is in hand has waited for long enough; only the first after a pause waits for others.
      if (!this.#ended) await this.#connection.timers.sleep(BATCH_WAIT_MS);
    }
    const batch = this.#buffer.splice(0, BATCH_RECORDS_MAX);
    await this.#handle(batch.flatMap(toRecord));
    if (!this.#ended) batch.at(-1)?.message.respond();
  }

  async #handle(records: readonly BusRecord[]): Promise<void> {
    while (!this.#ended && records.length > 0) {
      try {
        return await this.#options.handle(records, this.#incarnation);
      } catch (error) {
        this.#connection.log.error("bus: a batch was not taken, trying again", { reason: reasonOf(error) });
        await this.#wait(RETRY_MS, () => {});
      }
    }
  }

  /** Until something arrives, the session ends or the time is up. */
  #wait(limitMs: number, late: () => void): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#signal = () => {};
        resolve();
      };
      const timer = this.#connection.timers.after(limitMs, () => {
        done();
        late();
      });
      this.#signal = done;
    });
  }

  #pull(client: NatsConnection): void {
    this.#outstanding = BATCH_RECORDS_MAX;
    const request = JSON.stringify({ batch: BATCH_RECORDS_MAX, expires: nanos(PULL_EXPIRES_MS) });
    client.publish(`$JS.API.CONSUMER.MSG.NEXT.${FED_STREAM}.${PROJECTOR}`, request, { reply: this.#inbox });
  }

  /** A record keeps its own subject; only the server's status messages come under the inbox. */
  #arrived(message: Msg): void {
    if (message.subject === this.#inbox) {
      const code = message.headers?.code;
      if (code === 404 || code === 408) this.#outstanding = 0;
      else this.end(new Error(`pull: ${code ?? ""} ${message.headers?.description ?? ""}`));
      this.#signal();
      return;
    }
    const place = deliveryOf(message.reply ?? "");
    if (place === undefined || place.consumerSeq !== this.#delivered + 1)
      this.end(new Error("a delivery is missing"));
    else this.#take(message, place);
  }

  #take(message: Msg, place: Place): void {
    this.#delivered = place.consumerSeq;
    this.#outstanding = Math.max(0, this.#outstanding - 1);
    if (place.streamSeq <= this.#lastStreamSeq) return;
    this.#lastStreamSeq = place.streamSeq;
    this.#buffer.push({ message, streamSeq: place.streamSeq });
    assert(this.#buffer.length <= UNACKED_MAX, "projector feed: the buffer is bounded by the pull");
    this.#signal();
  }
}

function toRecord({ message, streamSeq }: Delivered): BusRecord[] {
  const at = parseSubject(message.subject);
  if (at?.kind !== "log") return [];
  const previousStreamSeq = fencedPrevious(message);
  return [toBusRecord(message, { account: at.account, lane: at.lane, streamSeq, previousStreamSeq })];
}

/** `$JS.ACK.<stream>.<consumer>.<times>.<stream seq>.<consumer seq>.<time>.<pending>`, or with domain and account (ADR-15). */
function deliveryOf(reply: string): Place | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const first = tokens.length === 9 ? 5 : 7;
  const streamSeq = Number(tokens[first]);
  const consumerSeq = Number(tokens[first + 1]);
  return Number.isSafeInteger(streamSeq) && Number.isSafeInteger(consumerSeq)
    ? { streamSeq, consumerSeq }
    : undefined;
}

async function recreateConsumer(client: NatsConnection, from: number): Promise<void> {
  const { consumers } = await client.jetstreamManager({ checkAPI: false });
  await consumers.delete(FED_STREAM, PROJECTOR).catch((error: unknown) => {
    if (!reasonOf(error).includes("consumer not found")) throw error;
  });
  await consumers.add(FED_STREAM, {
    durable_name: PROJECTOR,
    ack_policy: "all" as ConsumerConfig["ack_policy"],
    deliver_policy: "by_start_sequence" as ConsumerConfig["deliver_policy"],
    opt_start_seq: from,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: UNACKED_MAX,
    max_waiting: 4,
  });
}
