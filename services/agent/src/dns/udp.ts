/** The UDP side: one datagram in, at most one out. */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Log, Metrics } from "@hansa/core";
import type { Responder } from "./responder.ts";

/** Bursts wait here while the agent folds. */
const RECEIVE_BYTES = 1024 * 1024;

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export async function listenUdp(
  listen: Listen,
  responder: Responder,
  ports: { readonly log: Log; readonly metrics: Metrics },
): Promise<{ close(): Promise<void> }> {
  const family = isIPv6(listen.host) ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    // Answers go to addresses: what is no name needs no resolver, least of all this one.
    lookup: (host, _options, done) => done(null, host, family),
  });
  socket.on("message", (message, { address, port }) => {
    const answer = responder.respond(message, "udp");
    if (answer === undefined) return;
    socket.send(answer, 0, answer.length, port, address, (error) => {
      if (error !== null) ports.metrics.count("hansa_dns_unsent_total");
    });
  });
  await bound(socket, listen);
  socket.on("error", (error) => ports.log.error("dns: UDP socket", { reason: error.message }));
  try {
    socket.setRecvBufferSize(RECEIVE_BYTES);
  } catch {
    // The system's own bound holds.
  }
  return { close: () => new Promise((resolve) => socket.close(() => resolve())) };
}

const bound = (socket: Socket, { host, port }: Listen): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off("error", reject);
      resolve();
    });
  });
