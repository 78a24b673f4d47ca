/** Where an ADS server listens. A unix socket is the credential of the one proxy that it was made for. */
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { createSecureServer, createServer, type ServerOptions } from "node:http2";
import type { AddressInfo, ListenOptions } from "node:net";
import { dirname } from "node:path";
import { HansaError } from "@hansa/core";
import type { Server } from "./transport.ts";

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
/** A whole mesh that reconnects at once waits in the kernel. */
const BACKLOG = 2048;
const HANDSHAKE_MS_MAX = 10_000;

/** Not listening yet. Throws HansaError where the certificates cannot be used. */
export function createHttp2Server(where: Listen, options: ServerOptions): Server {
  if ("path" in where || where.tls === undefined) return createServer(options);
  const { certPem, keyPem, clientCaPem } = where.tls;
  const clients = clientCaPem === undefined ? {} : { ca: clientCaPem, requestCert: true };
  try {
    return createSecureServer({
      ...options,
      cert: certPem,
      key: keyPem,
      ...clients,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2"],
      handshakeTimeout: HANDSHAKE_MS_MAX,
    });
  } catch (error) {
    throw new HansaError(
      "HSA1004",
      `listen.tls: ${(error as Error).message}; give PEM of a key and its chain`,
      {
        cause: error,
      },
    );
  }
}

/** Starts to listen. Answers what a client dials: a path or `host:port`. */
export async function listen(server: Server, where: Listen): Promise<string> {
  if ("path" in where) {
    prepareSocket(where.path);
    await bind(server, { path: where.path }, where.path);
    chmodSync(where.path, 0o600);
    return where.path;
  }
  const host = where.host.includes(":") ? `[${where.host}]` : where.host;
  await bind(server, { host: where.host, port: where.port }, `${host}:${where.port}`);
  return `${host}:${(server.address() as AddressInfo).port}`;
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

function bind(server: Server, options: ListenOptions, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error) =>
      reject(
        new HansaError("HSA1012", `ads: cannot listen on ${address}: ${error.message}`, { cause: error }),
      );
    server.once("error", refused);
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.off("error", refused);
      resolve();
    });
  });
}
