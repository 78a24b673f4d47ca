/** The two streams of the bus, made and kept in shape by the hub (design §3 "Bus", settings). */
import { HansaError, hex, type Random, utf8 } from "@hansa/core";
import { HEARTBEAT_BYTES_MAX, LANES } from "@hansa/events";
import { headers, type NatsConnection, NatsError, type StreamConfig } from "nats";
import { type BusConnection, busDown } from "./connection.ts";
import { readIncarnation } from "./direct-get.ts";
import { fedBytesMax, MESSAGE_BYTES_MAX, RECORDS_PER_LOG_MAX } from "./limits.ts";
import { EXPECTED_SEQUENCE } from "./message.ts";
import * as subjects from "./subjects.ts";

export interface StreamSize {
  /** Sources (clusters and the hub) that the stream must hold at their bounds; `max_bytes` is reserved from this. */
  readonly sourcesMax: number;
  /** Default 2048; the lab uses 256. */
  readonly recordsPerLogMax?: number;
  /** Default 1; 3 in production. */
  readonly replicas?: number;
}

const STREAM_NOT_FOUND = 10059;
const INSUFFICIENT_STORAGE = [10047, 10028, 10023];
const STORAGE_SLACK_BYTES = 64 * 1024 * 1024;
const MILLISECOND_NS = 1_000_000;
/** Nobody uses `Nats-Msg-Id`: the shortest window the server takes keeps a hostile sender's ids from piling up. */
const DUPLICATE_WINDOW_NS = 100 * MILLISECOND_NS;

/** `persist_mode` (nats-server 2.12) is unknown to the client's types. */
type Config = Partial<StreamConfig> & { readonly name: string; readonly persist_mode?: "async" };

export function fedConfig(size: StreamSize): Config {
  const recordsPerLogMax = size.recordsPerLogMax ?? RECORDS_PER_LOG_MAX;
  return {
    ...common(size),
    name: subjects.FED_STREAM,
    subjects: [subjects.FED_SUBJECTS],
    storage: "file" as StreamConfig["storage"],
    max_msgs_per_subject: recordsPerLogMax,
    max_msg_size: MESSAGE_BYTES_MAX,
    max_bytes: fedBytesMax(size.sourcesMax, LANES.length, recordsPerLogMax),
    republish: { src: subjects.FED_SUBJECTS, dest: subjects.TAIL_FED },
  };
}

/**
 * Heartbeats need no disk sync, but they must outlive a server's restart while the hub is away: an unreplicated memory
 * stream does not (it is gone, seen on 2.15.1), an asynchronously written file does.
 */
export function beatConfig(size: StreamSize): Config {
  const replicated = (size.replicas ?? 1) > 1;
  return {
    ...common(size),
    storage: (replicated ? "memory" : "file") as StreamConfig["storage"],
    ...(replicated ? {} : { persist_mode: "async" as const }),
    name: subjects.BEAT_STREAM,
    subjects: [subjects.BEAT_SUBJECTS],
    max_msgs_per_subject: 1,
    max_msg_size: HEARTBEAT_BYTES_MAX,
    republish: { src: subjects.BEAT_SUBJECTS, dest: subjects.TAIL_BEAT },
  };
}

/** What the server must be able to reserve for streams of this size: input of `natsServerConfig`. */
export const storageBytesFor = (size: StreamSize): number =>
  (fedConfig(size).max_bytes ?? 0) + size.sourcesMax * HEARTBEAT_BYTES_MAX + STORAGE_SLACK_BYTES;

const common = (size: StreamSize): Partial<StreamConfig> => ({
  retention: "limits" as StreamConfig["retention"],
  discard: "old" as StreamConfig["discard"],
  num_replicas: size.replicas ?? 1,
  duplicate_window: DUPLICATE_WINDOW_NS,
  allow_direct: true,
  allow_rollup_hdrs: false,
  deny_delete: true,
  deny_purge: true,
});

/** Makes what is missing, never lowers `max_bytes`, and answers the incarnation. Throws HSA2010. */
export async function ensureStreams(
  connection: BusConnection,
  size: StreamSize,
  random: Random,
): Promise<string> {
  try {
    const { client } = connection;
    await ensure(client, fedConfig(size));
    await ensure(client, beatConfig(size));
    return await ensureIncarnation(connection, random);
  } catch (error) {
    if (error instanceof HansaError) throw error;
    const code = apiCode(error);
    const reason = error instanceof Error ? error.message : String(error);
    if (code !== undefined && INSUFFICIENT_STORAGE.includes(code))
      throw new HansaError(
        "HSA2002",
        `streams: ${size.sourcesMax} sources need ${fedConfig(size).max_bytes} bytes, more than the NATS server ` +
          "reserves; raise its max_file_store",
        { cause: error },
      );
    throw busDown(`streams: ${reason}`);
  }
}

async function ensure(client: NatsConnection, config: Config): Promise<void> {
  const { streams } = await client.jetstreamManager({ checkAPI: false });
  try {
    const present = (await streams.info(config.name)).config;
    const max_bytes = Math.max(present.max_bytes, config.max_bytes ?? -1);
    if (present.max_bytes !== max_bytes || present.max_msgs_per_subject !== config.max_msgs_per_subject)
      await streams.update(config.name, { ...config, max_bytes });
  } catch (error) {
    if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
    await streams.add(config);
  }
}

/** Written once per stream under the fence: of two hubs that make the stream together, one marker stays. */
async function ensureIncarnation(connection: BusConnection, random: Random): Promise<string> {
  const fence = headers();
  fence.set(EXPECTED_SEQUENCE, "0");
  const fresh = utf8(hex(random.bytes(16)));
  const timeout = connection.requestTimeoutMs;
  await connection.client.request(subjects.INCARNATION_SUBJECT, fresh, { headers: fence, timeout });
  return readIncarnation(connection, subjects.directGetSubject(subjects.FED_STREAM));
}

function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}
