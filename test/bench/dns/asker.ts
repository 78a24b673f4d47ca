/** Asks a server over UDP with a fixed number of queries under way, and counts what comes back. */
import { createSocket, type Socket } from "node:dgram";
import { sleep } from "../support/numbers.ts";

const SOCKETS = 4;
/** A query whose answer was lost must not take its place for ever. */
const LOST_AFTER_MS = 200;

export class Asker {
  readonly #port: number;
  readonly #underWay: number;

  constructor(port: number, underWay: number) {
    this.#port = port;
    this.#underWay = underWay;
  }

  /** Answers received within `durationMs`. */
  async run(queries: readonly Buffer[], durationMs: number): Promise<number> {
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => this.#open()));
    let next = 0;
    let answered = 0;
    let isOver = false;
    const send = (socket: Socket): void => {
      const query = queries[next % queries.length] as Buffer;
      next += 1;
      socket.send(query);
    };
    const lastHeard = sockets.map((socket) => {
      const heard = { ms: performance.now() };
      socket.on("message", () => {
        answered += 1;
        heard.ms = performance.now();
        if (!isOver) send(socket);
      });
      return heard;
    });
    for (const socket of sockets) for (let n = 0; n < this.#underWay / SOCKETS; n += 1) send(socket);
    const end = performance.now() + durationMs;
    while (performance.now() < end) {
      await sleep(Math.min(LOST_AFTER_MS, Math.max(1, end - performance.now())));
      for (const [index, { ms }] of lastHeard.entries())
        if (performance.now() - ms > LOST_AFTER_MS)
          for (let n = 0; n < this.#underWay / SOCKETS; n += 1) send(sockets[index] as Socket);
    }
    isOver = true;
    const counted = answered;
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    return counted;
  }

  /** The answer to one query; undefined where none comes. */
  async ask(query: Buffer): Promise<Buffer | undefined> {
    const socket = await this.#open();
    try {
      const answer = new Promise<Buffer>((resolve) => socket.once("message", resolve));
      socket.once("error", () => {});
      socket.send(query);
      return await Promise.race([answer, sleep(LOST_AFTER_MS).then(() => undefined)]);
    } finally {
      socket.close();
    }
  }

  #open(): Promise<Socket> {
    const socket = createSocket("udp4");
    return new Promise((resolve) => socket.connect(this.#port, "127.0.0.1", () => resolve(socket)));
  }
}
