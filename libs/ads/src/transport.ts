/**
 * HTTP/2 sessions of an ADS server: what is a call and what is not, keepalive, floods, the way out. Owns sockets and
 * their limits; a call that names the one method that is served goes to `onCall`, all others are answered here.
 */
import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, HansaError, type Log, type TimerHandle, type Timers } from "@hansa/core";
import { Call } from "./grpc/call.ts";
import { STATUS } from "./grpc/status.ts";

export type Server = Http2Server | Http2SecureServer;

export interface TransportOptions {
  /** Path of the one method, as HTTP/2 has it. */
  readonly method: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly onCall: (call: Call) => void;
}

/** A peer that vanished without FIN is noticed by HTTP/2 PING: asked every third turn, given up one turn later. */
const TURN_MS = 10_000;
const TURNS_BETWEEN_PINGS = 3;
/**
 * PING and SETTINGS of one peer in one turn, beside one for each frame of data that it was sent: grpc-go answers data with
 * a PING to estimate the bandwidth, as gRPC's own servers allow. Envoy sends a handful.
 */
const CONTROL_FRAMES_MAX = 200;
export const HEADER_LIST_BYTES_MAX = 16_384;
const CLOSE_GRACE_MS = 1000;
/** Envoy's request after a reconnect is some 100 KB; the default window of 64 KB would stall it. */
const WINDOW_BYTES = 1 << 20;
const DATA_FRAME_BYTES = 16_384;
const GRPC = /^application\/grpc(\+proto)?(;|$)/;

interface Peer {
  turns: number;
  controlFrames: number;
  awaitsPong: boolean;
}

export class Transport {
  private readonly server: Server;
  private readonly options: TransportOptions;
  private readonly sockets = new Set<Socket>();
  private readonly peers = new Map<ServerHttp2Session, Peer>();
  private readonly turns: TimerHandle;

  /** The server listens already, or will. */
  constructor(server: Server, options: TransportOptions) {
    this.server = server;
    this.options = options;
    server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.once("close", () => this.sockets.delete(socket));
    });
    server.on("session", (session: ServerHttp2Session) => this.accept(session));
    server.on(
      "stream",
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
        if (sizeOf(raw) <= HEADER_LIST_BYTES_MAX) this.route(stream, headers);
        else refuse(stream, { ":status": 431 });
      },
    );
    this.turns = options.timers.every(TURN_MS, () => this.turn());
  }

  /**
   * The address is free when this returns, before the promise resolves: libuv unlinks a socket as it closes it.
   * Sessions get GOAWAY and end with their last call; what is left after the grace is cut off.
   */
  async close(): Promise<void> {
    this.turns.cancel();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const grace = this.options.timers.after(CLOSE_GRACE_MS, () => {
      for (const socket of this.sockets) socket.destroy();
    });
    await closed;
    grace.cancel();
  }

  private accept(session: ServerHttp2Session): void {
    if (this.isResumedByExpired(session.socket as TLSSocket)) {
      this.options.log.warn("ads: a resumed TLS session of an expired certificate was refused");
      session.destroy();
      return;
    }
    const peer: Peer = { turns: 0, controlFrames: 0, awaitsPong: false };
    this.peers.set(session, peer);
    session.once("close", () => this.peers.delete(session));
    session.setLocalWindowSize(WINDOW_BYTES);
    const count = () => {
      peer.controlFrames += 1;
      if (peer.controlFrames > CONTROL_FRAMES_MAX && !session.destroyed) this.calmDown(session);
    };
    session.on("ping", count);
    session.on("remoteSettings", count);
  }

  /** OpenSSL checks a client's certificate in a full handshake only; a ticket carries it on. */
  private isResumedByExpired(socket: TLSSocket): boolean {
    if (socket.encrypted !== true || !socket.isSessionReused()) return false;
    const certificate = socket.getPeerX509Certificate();
    return certificate !== undefined && certificate.validToDate.getTime() <= this.options.clock.nowMs();
  }

  private route(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { method, timers, onCall } = this.options;
    if (headers[":method"] !== "POST") refuse(stream, { ":status": 405, allow: "POST" });
    else if (!GRPC.test(headers["content-type"] ?? ""))
      refuse(stream, { ":status": 415, accept: "application/grpc" });
    else if (headers[":path"] !== method) {
      const message = `HSA1005 ${headers[":path"]}: no such method; ${method} is the only one`;
      new Call(stream, headers, timers).end({ code: STATUS.UNIMPLEMENTED, message });
    } else onCall(new Call(stream, headers, timers, this.allowance(stream.session)));
  }

  private allowance(session: ServerHttp2Stream["session"]): (sentBytes: number) => void {
    const peer = this.peers.get(session as ServerHttp2Session);
    return (sentBytes) => {
      if (peer !== undefined) peer.controlFrames -= Math.ceil(sentBytes / DATA_FRAME_BYTES);
    };
  }

  private turn(): void {
    for (const [session, peer] of this.peers) {
      peer.turns += 1;
      peer.controlFrames = 0;
      if (peer.awaitsPong) {
        this.options.log.info("ads: a peer that does not answer PING was cut off");
        session.destroy();
      } else if (peer.turns % TURNS_BETWEEN_PINGS === 0) this.ping(session, peer);
    }
  }

  private ping(session: ServerHttp2Session, peer: Peer): void {
    peer.awaitsPong = true;
    session.ping((error) => {
      if (error === null) peer.awaitsPong = false;
    });
  }

  private calmDown(session: ServerHttp2Session): void {
    const reason = `PING and SETTINGS: more than ${CONTROL_FRAMES_MAX} in ${TURN_MS} ms`;
    this.options.log.warn("ads: a flooding peer was cut off", { code: "HSA1006", reason });
    session.destroy(new HansaError("HSA1006", reason), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** RFC 9113 §6.5.2: names, values and 32 bytes a line. nghttp2 announces the limit and leaves it at that. */
function sizeOf(raw: readonly string[]): number {
  let size = raw.length * 16;
  for (const text of raw) size += text.length;
  return size;
}

/** Not gRPC: the answer is one of HTTP. */
function refuse(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  stream.on("error", () => {});
  stream.respond(headers, { endStream: true });
}
