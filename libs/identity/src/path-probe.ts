/**
 * Does a path carry packets of full size? Where a tunnel on it carries less and drops what says so (ICMP "fragmentation needed", RFC
 * 8899 §1.1), connections open and small messages pass, and the first large one hangs for ever. So: a first message of several
 * segments, and where nobody answers it, a small one. Tells of the way there; the way back is told by whoever asks from there.
 */
import { connect } from "node:net";
import type { Timers } from "@hansa/core";

export interface PathTarget {
  readonly host: string;
  readonly port: number;
  /** What is spoken there: TLS at once, or NATS, which greets first, with TLS or without. */
  readonly speaks: "tls" | "nats" | "nats-tls";
  readonly timeoutMs: number;
}

export type PathResult =
  | { readonly kind: "passes" }
  /** Small messages are answered, large ones are not. */
  | { readonly kind: "narrow" }
  | { readonly kind: "silent"; readonly message: string };

/** More than two segments of any Ethernet; a NATS line has at most 4096 bytes. */
const LARGE_BYTES = 3600;

type Answer = "answered" | "unanswered" | { readonly error: string };

const PORTS: Readonly<Record<string, readonly [PathTarget["speaks"], number]>> = {
  "https:": ["tls", 443],
  "nats:": ["nats", 4222],
  "tls:": ["nats-tls", 4222],
};

/** Of a hub or a NATS server; throws TypeError where that is no URL. */
export function pathTo(url: string): Pick<PathTarget, "host" | "port" | "speaks"> {
  const { hostname, port, protocol } = new URL(url.includes("://") ? url : `nats://${url}`);
  const [speaks, usual] = PORTS[protocol] ?? ["nats", 4222];
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || usual, speaks };
}

export async function probePath(target: PathTarget, timers: Timers): Promise<PathResult> {
  const large = await answerTo(target, true, timers);
  if (large === "answered") return { kind: "passes" };
  if (large !== "unanswered") return { kind: "silent", message: large.error };
  const small = await answerTo(target, false, timers);
  if (small === "answered") return { kind: "narrow" };
  return { kind: "silent", message: small === "unanswered" ? "connects, and says nothing" : small.error };
}

/** Any answer counts, a refusal and an end too: nobody gives it who has not read the whole message. */
function answerTo(
  { host, port, speaks, timeoutMs }: PathTarget,
  isLarge: boolean,
  timers: Timers,
): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true });
    let isAsked = false;
    const end = (answer: Answer): void => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = timers.after(timeoutMs, () =>
      end(isAsked ? "unanswered" : { error: `no connection within ${timeoutMs} ms` }),
    );
    const answered = (): void => end("answered");
    socket.on("error", (error) => (isAsked ? answered() : end({ error: error.message })));
    const ask = (): void => {
      isAsked = true;
      socket.on("data", answered).on("end", answered);
      socket.write(speaks === "nats" ? natsLine(isLarge) : tlsHello(isLarge));
    };
    if (speaks === "tls") socket.once("connect", ask);
    else socket.once("data", ask);
  });
}

const natsLine = (isLarge: boolean): string =>
  `CONNECT ${JSON.stringify({ verbose: true, name: "p".repeat(isLarge ? LARGE_BYTES : 1) })}\r\n`;

/** A ClientHello (RFC 8446 §4.1.2) that is refused by a few bytes: an answer of its own size might not come back. */
function tlsHello(isLarge: boolean): Buffer {
  const padding = Buffer.alloc(isLarge ? LARGE_BYTES : 0);
  const hello = Buffer.concat([
    uint(0x0303, 2),
    Buffer.alloc(32),
    // No session; the one cipher suite that is none; no compression.
    Buffer.from([0, 0, 2, 0, 0, 1, 0]),
    // RFC 7685.
    uint(padding.length + 4, 2),
    uint(21, 2),
    uint(padding.length, 2),
    padding,
  ]);
  const handshake = Buffer.concat([Buffer.from([1]), uint(hello.length, 3), hello]);
  return Buffer.concat([Buffer.from([22]), uint(0x0301, 2), uint(handshake.length, 2), handshake]);
}

function uint(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
