/**
 * A sample workload: a tiny real server that answers with who it is and who called it, as its sidecar saw the caller.
 * Owns nothing but its one port. `/slow?ms=N` waits, `/status/N` answers with that status, `/healthz` is its probe.
 *
 * Usage: main.ts --address A --port N --protocol http|http2|grpc|tcp --cluster C --namespace NS --workload W --replica R --version V
 */
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { parseArgs } from "node:util";
import { encodeText, QUOTE_PATH } from "../../../../deploy/tools/lab-grpc.ts";

const WAIT_MS_MAX = 30_000;
const LINE_BYTES_MAX = 4096;

const text = { type: "string" } as const;
const { values: me } = parseArgs({
  options: {
    address: text,
    port: text,
    protocol: text,
    cluster: text,
    namespace: text,
    workload: text,
    replica: text,
    version: text,
  },
});

const about = {
  cluster: me.cluster,
  namespace: me.namespace,
  workload: me.workload,
  replica: me.replica,
  version: me.version,
};

/** The caller's SPIFFE ID out of XFCC, which the sidecar sets itself (SANITIZE_SET). More than one URI is nobody. */
function callerOf(xfcc: string | string[] | undefined): string {
  const uris = [...String(xfcc ?? "").matchAll(/(?:^|[;,])URI=([^;,]*)/g)].map((match) => match[1] ?? "");
  return uris.length === 1 ? (uris[0] ?? "") : "";
}

async function answer(
  request: http.IncomingMessage | http2.Http2ServerRequest,
): Promise<{ status: number; body: string }> {
  const url = new URL(request.url ?? "/", "http://workload");
  const waitMs = Math.min(Number(url.searchParams.get("ms") ?? 0) || 0, WAIT_MS_MAX);
  if (url.pathname === "/slow") await new Promise((resolve) => setTimeout(resolve, waitMs));
  const status = Number(/^\/status\/(\d{3})$/.exec(url.pathname)?.[1] ?? 200);
  const caller = callerOf(request.headers["x-forwarded-client-cert"]);
  return { status, body: `${JSON.stringify({ ...about, caller, path: url.pathname })}\n` };
}

function serveHttp1(): net.Server {
  return http.createServer((request, response) => {
    request.resume();
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });
}

function serveHttp2(): net.Server {
  return http2.createServer((request, response) => {
    request.resume();
    void answer(request).then(({ status, body }) => {
      if (request.url === QUOTE_PATH) {
        response.writeHead(200, { "content-type": "application/grpc" });
        response.addTrailers({ "grpc-status": "0" });
        response.end(encodeText(body.trim()));
        return;
      }
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body);
    });
  });
}

/** TCP: one line in, one JSON line out. TCP carries no caller; its sidecar's log has it. */
function serveTcp(): net.Server {
  return net.createServer((socket) => {
    let pending = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: string) => {
      pending += chunk;
      if (pending.length > LINE_BYTES_MAX) socket.destroy();
      for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
        const said = pending.slice(0, end);
        pending = pending.slice(end + 1);
        socket.write(`${JSON.stringify({ ...about, caller: "", said })}\n`);
      }
    });
  });
}

const servers: Record<string, () => net.Server> = {
  http: serveHttp1,
  http2: serveHttp2,
  grpc: serveHttp2,
  tcp: serveTcp,
};
const serve = servers[me.protocol ?? "http"];
if (!serve) throw new Error(`--protocol: ${me.protocol} is not one of ${Object.keys(servers).join(", ")}`);
const server = serve();
server.listen(Number(me.port), me.address, () =>
  process.stdout.write(`${JSON.stringify({ ...about, listening: true })}\n`),
);
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 1000).unref();
});
