/** Bounds of what one request may take. */

/** A page of 500 EndpointSlices of 100 endpoints is about 15 MiB. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** One object of a watch; etcd's own bound is 1.5 MiB by default. */
export const LINE_BYTES_MAX = 8 * 1024 * 1024;
export const REQUEST_TIMEOUT_MS = 30_000;
/** A page takes longer where the API server is slow. */
export const LIST_TIMEOUT_MS = 60_000;
/** An API server that does not have our version says so after 3 s. */
export const CHECK_TIMEOUT_MS = 15_000;
/** Until the headers of a watch have come. */
export const WATCH_OPEN_TIMEOUT_MS = 30_000;
/** Watches and requests at once to one API server; more wait for a free connection. */
export const SOCKETS_MAX = 128;
