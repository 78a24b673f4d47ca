/** A server of the attacker: TLS with whatever it has, and a note of every request that it could read. */
import { createSecureServer } from "node:http2";
import type { TlsIdentity } from "@hansa/xds";

export interface Impostor {
  /** Connections that reached it, whatever became of them. */
  readonly knocked: () => number;
  /** Bodies and paths that it read in plain text. */
  readonly read: readonly string[];
  close(): Promise<void>;
}

export async function impostor(address: string, port: number, shown: TlsIdentity): Promise<Impostor> {
  let knocked = 0;
  const read: string[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const server = createSecureServer(
    { cert: shown.certPem, key: shown.keyPem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        read.push(body);
        response.end('{"name":"impostor"}');
      });
    },
  );
  server.on("connection", (socket) => {
    knocked += 1;
    sockets.add(socket);
  });
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  return {
    knocked: () => knocked,
    read,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
