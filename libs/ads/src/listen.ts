/** Where an ADS server listens. A unix socket is the credential of the one proxy that it was made for. */
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { HansaError } from "@hansa/core";

export interface ServerTls {
  readonly certPem: string;
  readonly keyPem: string;
  /** Clients must show a certificate of these roots; absent = none is asked for. */
  readonly clientCaPem?: string;
}

export type Listen =
  | { readonly path: string }
  | {
      readonly host: string;
      /** 0 = any free port. */
      readonly port: number;
      /** Absent = plaintext: for loopback tests only. */
      readonly tls?: ServerTls;
    };

/** sockaddr_un.sun_path on Linux holds 108 bytes with the final zero. */
export const SOCKET_PATH_BYTES_MAX = 107;

/** Starts to listen. Answers what a client dials: a path or `host:port`. */
export async function listen(server: Server, where: Listen): Promise<string> {
  if ("path" in where) {
    prepareSocket(where.path);
    await bind(server, `unix:${where.path}`, ServerCredentials.createInsecure());
    chmodSync(where.path, 0o600);
    return where.path;
  }
  const host = where.host.includes(":") ? `[${where.host}]` : where.host;
  const port = await bind(server, `${host}:${where.port}`, credentials(where.tls));
  return `${host}:${port}`;
}

/**
 * The folder is for this user alone, since whoever reaches the socket is the proxy. A socket that a crashed process
 * left behind would make bind fail with EADDRINUSE; anything but a socket is left alone.
 */
function prepareSocket(path: string): void {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw new HansaError(
      "HSA1004",
      `path: ${path} exceeds ${SOCKET_PATH_BYTES_MAX} bytes; use a shorter socket folder`,
    );
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mode = lstatSync(folder).mode & 0o777;
  if ((mode & 0o077) !== 0)
    throw new HansaError(
      "HSA1004",
      `path: ${folder} has mode ${mode.toString(8)}; a socket folder must be 700, for its owner alone`,
    );
  const left = lstatSync(path, { throwIfNoEntry: false });
  if (left === undefined) return;
  if (!left.isSocket())
    throw new HansaError(
      "HSA1004",
      `path: ${path} exists and is no socket; move it away or use another path`,
    );
  rmSync(path);
}

function credentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const clientRoots = tls.clientCaPem === undefined ? null : Buffer.from(tls.clientCaPem);
  const pair = { cert_chain: Buffer.from(tls.certPem), private_key: Buffer.from(tls.keyPem) };
  return ServerCredentials.createSsl(clientRoots, [pair], clientRoots !== null);
}

function bind(server: Server, address: string, creds: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, creds, (error, port) => {
      if (error === null) resolve(port);
      else
        reject(
          new HansaError("HSA1012", `ads: cannot listen on ${address}: ${error.message}`, { cause: error }),
        );
    });
  });
}
