/** The TCP side (RFC 7766): several queries on a connection, answered in order; bounds on all that a client can hold. */
import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Metrics, Timers } from "@hansa/core";
import type { Responder } from "./responder.ts";
import type { Listen } from "./udp.ts";

/** A query that names more than 255 bytes and an OPT is none that this zone can answer. */
export const QUERY_BYTES_MAX = 4096;
export const CONNECTIONS_MAX = 1024;
export const CONNECTIONS_PER_CLIENT_MAX = 256;
/** Since the last whole query: bytes alone keep nothing open. */
export const IDLE_MS_MAX = 10_000;
/** Answers that a client has not taken yet; until it does its next queries are not read. */
export const UNSENT_BYTES_MAX = 256 * 1024;
const SWEEP_MS = 1000;

export interface TcpPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly metrics: Metrics;
}

class Connection {
  readonly socket: Socket;
  readonly client: string;
  readonly #responder: Responder;
  readonly #clock: Clock;
  #waiting: Buffer = Buffer.alloc(0);
  lastQueryMs: number;

  constructor(socket: Socket, responder: Responder, clock: Clock) {
    this.socket = socket;
    this.client = socket.remoteAddress ?? "";
    this.#responder = responder;
    this.#clock = clock;
    this.lastQueryMs = clock.monotonicMs();
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#received(chunk));
    socket.on("drain", () => this.#answer());
    // Its close follows.
    socket.on("error", () => {});
  }

  #received(chunk: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#answer();
  }

  #answer(): void {
    const { socket } = this;
    socket.cork();
    while (socket.writableLength <= UNSENT_BYTES_MAX && this.#waiting.length >= 2) {
      const size = this.#waiting.readUInt16BE(0);
      if (size > QUERY_BYTES_MAX) return void socket.destroy();
      if (this.#waiting.length < 2 + size) break;
      const answer = this.#responder.respond(this.#waiting.subarray(2, 2 + size), "tcp");
      if (answer === undefined) return void socket.destroy();
      this.#waiting = this.#waiting.subarray(2 + size);
      this.lastQueryMs = this.#clock.monotonicMs();
      const prefix = Buffer.allocUnsafe(2);
      prefix.writeUInt16BE(answer.length, 0);
      socket.write(prefix);
      socket.write(answer);
    }
    socket.uncork();
    if (socket.writableLength > UNSENT_BYTES_MAX) socket.pause();
    else socket.resume();
  }
}

export class TcpListener {
  readonly #server: Server;
  readonly #ports: TcpPorts;
  readonly #connections = new Set<Connection>();
  readonly #perClient = new Map<string, number>();

  private constructor(responder: Responder, ports: TcpPorts) {
    this.#ports = ports;
    this.#server = createServer((socket) => this.#accept(socket, responder));
  }

  static async listen(listen: Listen, responder: Responder, ports: TcpPorts): Promise<TcpListener> {
    const listener = new TcpListener(responder, ports);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen({ ...listen, exclusive: true }, () => {
        listener.#server.off("error", reject);
        resolve();
      });
    });
    // A connection that could not be accepted, for want of descriptors: the next one may be.
    listener.#server.on("error", () => ports.metrics.count("hansa_dns_connections_refused_total"));
    const sweep = ports.timers.every(SWEEP_MS, () => listener.#sweep());
    listener.#server.on("close", () => sweep.cancel());
    return listener;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get connections(): number {
    return this.#connections.size;
  }

  close(): Promise<void> {
    for (const { socket } of this.#connections) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket, responder: Responder): void {
    const connection = new Connection(socket, responder, this.#ports.clock);
    const { client } = connection;
    const held = this.#perClient.get(client) ?? 0;
    if (this.#connections.size >= CONNECTIONS_MAX || held >= CONNECTIONS_PER_CLIENT_MAX) {
      this.#ports.metrics.count("hansa_dns_connections_refused_total");
      socket.destroy();
      return;
    }
    this.#connections.add(connection);
    this.#perClient.set(client, held + 1);
    socket.on("close", () => {
      this.#connections.delete(connection);
      const left = (this.#perClient.get(client) ?? 1) - 1;
      if (left > 0) this.#perClient.set(client, left);
      else this.#perClient.delete(client);
    });
  }

  #sweep(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    for (const { socket, lastQueryMs } of this.#connections)
      if (nowMs - lastQueryMs > IDLE_MS_MAX) socket.destroy();
  }
}
