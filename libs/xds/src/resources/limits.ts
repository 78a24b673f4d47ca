/**
 * Ages, sizes and retry numbers of the data plane, in one place with their reasons (reference: envoy-dataplane §1.1,
 * §4, §7). Ages obey client < server < stream < gateway backstop, so that the graceful side always acts first.
 */

/** The measured failover recipe: 0 of the load lost with retries. */
export const CONNECT_TIMEOUT_MS = 1_000;
/** What is none of the mesh's may be far away: no shorter than a kernel's first few SYNs. */
export const PASSING_CONNECT_TIMEOUT_MS = 10_000;
export const OUTLIER_INTERVAL_MS = 250;
export const BASE_EJECTION_MS = 500;
export const EJECTION_MAX_MS = 5_000;
export const RETRIES_MAX = 1_024;
export const REQUESTS_MAX = 10_000;
export const CONNECTIONS_MAX = 10_000;

/** A peer that hangs or vanished without a reset is noticed within interval + timeout < 2 s. */
export const PING_INTERVAL_MS = 750;
export const PING_TIMEOUT_MS = 1_000;

/** A client's connection: goes away gracefully, 0 failed. */
export const CLIENT_CONNECTION_MS = 10 * 60_000;
/** A server's HTTP connection: GOAWAY, 0 failed. Longer than the client's. */
export const SERVER_CONNECTION_MS = 15 * 60_000;
/** Streams outlive their connection's age; this ends them. With the server's age it stays within an SVID's hour. */
export const STREAM_MS = 40 * 60_000;
/** Plain TCP knows no graceful end: a hard, jittered cut at the server only, never at a gateway. */
export const TCP_CONNECTION_MS = 55 * 60_000;
export const TCP_JITTER_PERCENT = 8;

/** A gateway balances connections, so requests behind it spread only if connections end (§11). */
export const GATEWAY_REQUESTS_PER_CONNECTION = 50;
export const GATEWAY_STREAMS_PER_CONNECTION = 50;
/** Streams that one downstream connection may hold open. */
export const STREAMS_MAX = 1_000;

export const RETRIES = 4;
export const HOST_SELECTION_ATTEMPTS = 5;
export const RETRY_BASE_MS = 5;
export const RETRY_MAX_MS = 50;
export const TCP_CONNECT_ATTEMPTS = 5;
export const TCP_BACKOFF_BASE_MS = 10;
export const TCP_BACKOFF_MAX_MS = 50;
/** What a plain TCP caller may send before its handshake is done and the application answers. */
export const EARLY_BYTES_MAX = 65_536;
