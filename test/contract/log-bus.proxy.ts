/** A TCP proxy in front of a server, with faults: cut both ways, or without the server's answers. */
import { connect, createServer, type Server, type Socket } from "node:net";

type Mode = "pass" | "deaf" | "cut";

export interface FaultyProxy {
  readonly port: number;
  listen(): Promise<void>;
  pass(): void;
  /** What the client sends arrives; what the server answers does not. */
  deafen(): void;
  /** Connections break and new ones are refused. */
  cut(): void;
  close(): Promise<void>;
}

export function faultyProxy(
  port: number,
  target: { readonly host: string; readonly port: number },
): FaultyProxy {
  let mode: Mode = "pass";
  const sockets = new Set<Socket>();
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server: Server = createServer((client) => {
    if (mode === "cut") return void client.destroy();
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (data) => void upstream.write(data));
    upstream.on("data", (data) => {
      if (mode === "pass") client.write(data);
    });
  });
  return {
    port,
    listen: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, "127.0.0.1", resolve);
      }),
    pass: () => {
      // A stream with a hole in it is no stream: who was deaf begins anew.
      if (mode === "deaf") breakAll();
      mode = "pass";
    },
    deafen: () => {
      mode = "deaf";
    },
    cut: () => {
      mode = "cut";
      breakAll();
    },
    close: async () => {
      breakAll();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
