/** JetStream Direct Get (ADR-31): single and batched reads of a stream without a consumer. */
import { canonicalBytes } from "@hansa/core";
import { createInbox, type Msg } from "nats";
import { type BusConnection, busDown } from "./connection.ts";
import { pendingAfter, storedSequence } from "./message.ts";
import { INCARNATION_SUBJECT } from "./subjects.ts";

/** Kept below the server's `max_pending`, so that an answer never makes this client a slow consumer. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

interface BatchRequest {
  readonly seq: number;
  readonly next_by_subj: string;
  readonly batch: number;
  readonly max_bytes: number;
}

interface Batch {
  readonly messages: readonly Msg[];
  /** Stored messages of that subject behind the last of these. */
  readonly pending: number;
}

/** The last message of a subject, or null. Throws HSA2010 where no stream answers. */
export async function getLast(connection: BusConnection, api: string, subject: string): Promise<Msg | null> {
  const answer = await ask(connection, api, { last_by_subj: subject });
  return storedSequence(answer) > 0 ? answer : null;
}

/** What `ensureStreams` wrote when the stream was made. Throws HSA2010, also before it is written. */
export async function readIncarnation(connection: BusConnection, api: string): Promise<string> {
  const marker = await getLast(connection, api, INCARNATION_SUBJECT);
  if (marker === null) throw busDown("the stream has no incarnation yet");
  return marker.string();
}

async function ask(connection: BusConnection, api: string, request: object): Promise<Msg> {
  let answer: Msg;
  try {
    answer = await connection.client.request(api, canonicalBytes(request), {
      timeout: connection.requestTimeoutMs,
    });
  } catch (error) {
    throw busDown(`${api}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (storedSequence(answer) === 0 && answer.headers?.code !== 404)
    throw busDown(`${api}: ${answer.headers?.code ?? ""} ${answer.headers?.description ?? "no answer"}`);
  return answer;
}

/** Stored messages from `fromSeq` on, in stream order, until `accept` has taken `max` or the end is reached. */
export async function getBatch(
  connection: BusConnection,
  api: string,
  subject: string,
  fromSeq: number,
  max: number,
  accept: (message: Msg) => boolean,
): Promise<void> {
  let seq = Math.max(1, fromSeq);
  let wanted = max;
  while (wanted > 0) {
    const request = { seq, next_by_subj: subject, batch: wanted, max_bytes: ANSWER_BYTES_MAX };
    const { messages, pending } = await oneBatch(connection, api, request);
    for (const message of messages) {
      seq = storedSequence(message) + 1;
      if (accept(message)) wanted -= 1;
    }
    if (pending === 0 || messages.length === 0) return;
  }
}

function oneBatch(connection: BusConnection, api: string, request: BatchRequest): Promise<Batch> {
  const { client, timers, requestTimeoutMs } = connection;
  const inbox = createInbox();
  const messages: Msg[] = [];
  return new Promise<Batch>((resolve, reject) => {
    const fail = (reason: string) => {
      end();
      reject(busDown(`${api}: ${reason}`));
    };
    let idle = timers.after(requestTimeoutMs, () => fail("timeout"));
    const subscription = client.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return fail(error.message);
        if (storedSequence(message) > 0) {
          messages.push(message);
          idle.cancel();
          idle = timers.after(requestTimeoutMs, () => fail("timeout within a batch"));
          return;
        }
        const code = message.headers?.code;
        if (code !== 204 && code !== 404)
          return fail(`${code ?? ""} ${message.headers?.description ?? "bad answer"}`);
        end();
        resolve({ messages, pending: code === 404 ? 0 : pendingAfter(message) });
      },
    });
    const end = () => {
      idle.cancel();
      subscription.unsubscribe();
    };
    client.publish(api, canonicalBytes(request), { reply: inbox });
  });
}
