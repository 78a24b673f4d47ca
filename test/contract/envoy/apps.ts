/** Tiny applications behind a sidecar: they answer with their name and what the sidecar told them of the caller. */
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, type ServerHttp2Session } from "node:http2";
import { createServer as createTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface App {
  readonly served: { count: number };
  close(): Promise<void>;
}

const listening = (
  server: { listen(port: number, host: string, done: () => void): unknown },
  address: string,
  port: number,
): Promise<void> => new Promise((resolve) => server.listen(port, address, () => resolve()));

export async function httpApp(name: string, address: string, port: number): Promise<App> {
  const served = { count: 0 };
  const server = createHttp1((request, response) => {
    served.count += 1;
    const status = Number(/status=(\d+)/.exec(request.url ?? "")?.[1] ?? 200);
    request.resume().on("end", () => {
      response.writeHead(status, { "content-type": "application/json", "x-hansa-unsent": "forged" });
      response.end(
        JSON.stringify({ name, method: request.method, url: request.url, headers: request.headers }),
      );
    });
  });
  const upgraded = new Set<Duplex>();
  server.on("upgrade", (_request, socket) => {
    upgraded.add(socket);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    socket.on("data", (bytes: Buffer) => socket.write(Buffer.concat([Buffer.from(`${name}:`), bytes])));
    socket.on("error", () => {});
  });
  await listening(server, address, port);
  return {
    served,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of upgraded) socket.destroy();
        server.closeAllConnections();
      }),
  };
}

/** h2 with prior knowledge; every call is answered as a gRPC unary call whose message is the app's name and caller. */
export async function grpcApp(name: string, address: string, port: number): Promise<App> {
  const served = { count: 0 };
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    served.count += 1;
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(JSON.stringify({ name, headers }));
  });
  await listening(server, address, port);
  return {
    served,
    close: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Answered, and the connection reset at once. */
export const LAST_WORDS = "last words";

/** Speaks first where it has a greeting (each connection then counts as served); answers each line with its name and the line. */
export async function tcpApp(name: string, address: string, port: number, greeting = ""): Promise<App> {
  const served = { count: 0 };
  const open = new Set<Socket>();
  const server = createTcp((socket) => {
    if (greeting !== "") served.count += 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    if (greeting !== "") socket.write(greeting);
    socket.on("data", (bytes) => {
      served.count += 1;
      socket.write(`${name} ${bytes.toString()}`);
      if (bytes.toString() === LAST_WORDS) socket.resetAndDestroy();
    });
  });
  await listening(server, address, port);
  return {
    served,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
