/**
 * A loopback address of one's own. All of 127.0.0.0/8 is this machine (RFC 1122 §3.2.1.3), so whoever holds an address
 * has every port of it: well-known ports need no search, and nobody takes one between its choice and its use.
 */
import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

export interface Loopback {
  readonly address: string;
  release(): Promise<void>;
}

/** Held open to claim the address: below the ephemeral ports, and no well-known one. */
const claimPort = 6400;
const triesMax = 50;

/** Claims an address until `release` or the end of this process. */
export async function claimLoopback(): Promise<Loopback> {
  for (let tries = 0; tries < triesMax; tries++) {
    // From 127.1.0.1 on: 127.0.x.y is where machines put resolvers and names of their own.
    const address = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    const server = await listen(address);
    if (server === undefined) continue;
    const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
    return { address, release };
  }
  throw new Error(`loopback: no address of ${triesMax} tried has port ${claimPort} free`);
}

function listen(host: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    server.listen({ host, port: claimPort, exclusive: true }, () => resolve(server));
  });
}
