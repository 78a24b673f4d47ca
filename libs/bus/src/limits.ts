/** Bounds of the bus. Every one is a server-side limit or a bound of this client. */

/** Stream `max_msg_size`: a record is at most 128 KiB of body plus headers (design §3). */
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** Server `max_payload`, above the stream's so that its refusal, not a broken connection, answers a large record. */
export const PAYLOAD_BYTES_MAX = 512 * 1024;
/** Records kept per log. The lab uses 256. */
export const RECORDS_PER_LOG_MAX = 2048;
export const READ_MAX = 256;
export const BATCH_RECORDS_MAX = 1000;
export const BATCH_WAIT_MS = 10;
/** Messages that the hub's consumer may hold unacknowledged: four batches. */
export const UNACKED_MAX = 4 * BATCH_RECORDS_MAX;
export const CONNECTIONS_PER_ACCOUNT_MAX = 16;
export const SUBSCRIPTIONS_PER_ACCOUNT_MAX = 1024;
/** What the server stores beside header and body of each message. */
const MESSAGE_OVERHEAD_BYTES = 64;

/** `max_bytes` under which no source can push out another's records: the sum of what all may hold. */
export const fedBytesMax = (sourcesMax: number, lanes: number, recordsPerLogMax: number): number =>
  sourcesMax * lanes * recordsPerLogMax * (MESSAGE_BYTES_MAX + MESSAGE_OVERHEAD_BYTES);
