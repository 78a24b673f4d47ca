/**
 * One TLS door for the proxies of a whole cluster: who may open which streams is decided for each stream, by the
 * credentials that its call carries. Owns the wait for that verdict and its bound; knows no kind of credential.
 */
import type { Http2SecureServer } from "node:http2";
import { type Clock, HansaError, type Log, type Metrics, type Timers } from "@hansa/core";
import type { Call } from "./grpc/call.ts";
import { STATUS } from "./grpc/status.ts";
import { createHttp2Server, listen, type ServerTls } from "./listen.ts";
import { HTTP2, METHOD, SESSIONS_MAX } from "./server.ts";
import { STREAMS_MAX, type Streams } from "./streams.ts";
import { Transport } from "./transport.ts";

export type Admission =
  | { readonly kind: "admitted"; readonly streams: Streams }
  | {
      readonly kind: "refused";
      readonly status: "UNAUTHENTICATED" | "PERMISSION_DENIED" | "UNAVAILABLE" | "RESOURCE_EXHAUSTED";
      /** Is sent to the caller: begins with a code and holds nothing that he may not know. */
      readonly message: string;
    };

export interface DoorOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: ServerTls;
  /** By the call's `authorization`. Never rejects. */
  readonly admit: (authorization: string | undefined) => Promise<Admission>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Door {
  /** host:port. */
  readonly address: string;
  /** Streams that wait for their verdict. */
  readonly waiting: number;
  /** For handshakes from now on. Throws HSA1004 where the pair cannot be used; the one before stays then. */
  setTls(tls: ServerTls): void;
  /** Frees the address. The streams behind it are their owners' to close. */
  close(): Promise<void>;
}

/** A whole mesh that reconnects at once waits here; whoever comes on top of it is told to come again. */
const WAITING_MAX = STREAMS_MAX;

/** Listens when the promise resolves. Throws HansaError where that is impossible. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { host, port, tls, clock, timers, log } = options;
  const where = { host, port, tls };
  const server = createHttp2Server(where, HTTP2) as Http2SecureServer;
  server.maxConnections = SESSIONS_MAX;
  const address = await listen(server, where);
  let waiting = 0;
  const onCall = async (call: Call): Promise<void> => {
    if (waiting >= WAITING_MAX) {
      refuse(call, "RESOURCE_EXHAUSTED", `HSA1006 streams: ${WAITING_MAX} wait already; come again`, options);
      return;
    }
    waiting += 1;
    const admission = await options.admit(call.authorization).finally(() => {
      waiting -= 1;
    });
    if (call.isGone) return;
    if (admission.kind === "refused") refuse(call, admission.status, admission.message, options);
    else {
      options.metrics.count("hansa_xds_admissions_total", { outcome: "OK" });
      admission.streams.accept(call);
    }
  };
  const transport = new Transport(server, {
    method: METHOD,
    clock,
    timers,
    log,
    onCall: (call) => void onCall(call),
  });
  return {
    address,
    get waiting() {
      return waiting;
    },
    setTls({ certPem, keyPem }) {
      try {
        server.setSecureContext({ cert: certPem, key: keyPem, minVersion: "TLSv1.2" });
      } catch (error) {
        throw new HansaError("HSA1004", `tls: ${(error as Error).message}; give PEM of a key and its chain`, {
          cause: error,
        });
      }
    },
    close: () => transport.close(),
  };
}

function refuse(call: Call, code: keyof typeof STATUS, message: string, { metrics }: DoorOptions): void {
  metrics.count("hansa_xds_admissions_total", { outcome: code });
  call.end({ code: STATUS[code], message });
}
