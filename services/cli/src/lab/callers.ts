/** One call through a sidecar by each protocol: HTTP/1.1, gRPC (HTTP/2) and a line of TCP. Every outcome is a value. */
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { decodeText, encodeText, QUOTE_PATH } from "../../../../deploy/tools/lab-grpc.ts";

export interface Served {
  readonly cluster: string;
  readonly workload: string;
  readonly replica: string;
  readonly version: string;
  /** SPIFFE ID of the caller as the server's sidecar saw it; "" over TCP. */
  readonly caller: string;
}

export interface Outcome {
  /** HTTP status, `grpc:<status>`, `tcp:ok`, or `error:<what>`. */
  readonly status: string;
  readonly ok: boolean;
  readonly served: Served | undefined;
  readonly latencyMs: number;
  /** What failed, "" where nothing did. */
  readonly detail: string;
}

export interface Caller {
  call(): Promise<Outcome>;
  close(): void;
}

const TIMEOUT_MS = 20_000;

function servedBy(text: string): Served | undefined {
  try {
    const { cluster, workload, replica, version, caller } = JSON.parse(text) as Served;
    return cluster === undefined ? undefined : { cluster, workload, replica, version, caller };
  } catch {
    return undefined;
  }
}

const timed = async (run: () => Promise<Omit<Outcome, "latencyMs">>): Promise<Outcome> => {
  const start = performance.now();
  const outcome = await run().catch((error: Error & { code?: string }) => ({
    status: `error:${error.code ?? error.message}`,
    ok: false,
    served: undefined,
    detail: error.message || String(error.code),
  }));
  return { ...outcome, latencyMs: performance.now() - start };
};

export interface Dial {
  readonly address: string;
  readonly port: number;
  /** `<svc>.<ns>.svc.clusterset.local[:port]`; not used over TCP. */
  readonly authority: string;
  readonly path: string;
}

export function httpCaller({ address, port, authority, path }: Dial): Caller {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
  const once = () =>
    new Promise<Omit<Outcome, "latencyMs">>((resolve, reject) => {
      const request = http.request(
        { agent, host: address, port, path, headers: { host: authority }, timeout: TIMEOUT_MS },
        (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("error", reject);
          response.on("data", (chunk: string) => {
            body += chunk;
          });
          response.on("end", () => {
            const status = response.statusCode ?? 0;
            const ok = status < 400;
            const reason = response.headers["x-hansa-reason"];
            resolve({
              status: String(status),
              ok,
              served: servedBy(body),
              detail: ok ? "" : String(reason ?? body.trim().slice(0, 200)),
            });
          });
        },
      );
      request.on("timeout", () => request.destroy(new Error("timed out")));
      request.on("error", reject);
      request.end();
    });
  return { call: () => timed(once), close: () => agent.destroy() };
}

/** The lab's one gRPC method, over one HTTP/2 connection. */
export function grpcCaller({ address, port, authority }: Dial): Caller {
  const session = http2.connect(`http://${address}:${port}`);
  session.on("error", () => {});
  const once = () =>
    new Promise<Omit<Outcome, "latencyMs">>((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": QUOTE_PATH,
        ":authority": authority,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const chunks: Buffer[] = [];
      let status = "";
      let message = "";
      const note = (headers: http2.IncomingHttpHeaders) => {
        status = String(headers["grpc-status"] ?? status);
        message = decodeURIComponent(String(headers["grpc-message"] ?? message));
        if (status === "" && headers[":status"] !== undefined && Number(headers[":status"]) !== 200)
          status = `http-${headers[":status"]}`;
      };
      stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error("timed out")));
      stream.on("response", note);
      stream.on("trailers", note);
      stream.on("error", reject);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("close", () => {
        const text = decodeText(Buffer.concat(chunks));
        resolve({
          status: `grpc:${status}`,
          ok: status === "0",
          served: servedBy(text ?? ""),
          detail: status === "0" ? "" : message,
        });
      });
      stream.end(encodeText(""));
    });
  return { call: () => timed(once), close: () => session.close() };
}

/** A connection per call: each is routed anew. */
export function tcpCaller({ address, port }: Dial): Caller {
  const once = () =>
    new Promise<Omit<Outcome, "latencyMs">>((resolve, reject) => {
      const socket = net.connect({ host: address, port, timeout: TIMEOUT_MS });
      let text = "";
      socket.setEncoding("utf8");
      socket.on("connect", () => socket.write("hello\n"));
      socket.on("timeout", () => socket.destroy(new Error("timed out")));
      socket.on("error", reject);
      socket.on("data", (chunk: string) => {
        text += chunk;
        if (text.includes("\n")) socket.end();
      });
      socket.on("close", () => {
        const served = servedBy(text);
        resolve(
          served
            ? { status: "tcp:ok", ok: true, served, detail: "" }
            : {
                status: "error:closed",
                ok: false,
                served: undefined,
                detail: "the connection was closed without an answer",
              },
        );
      });
    });
  return { call: () => timed(once), close: () => {} };
}
