/**
 * One gRPC call on one HTTP/2 stream: messages in and out, one status at the end. Owns headers, trailers and what
 * becomes of a peer that does not read them; knows nothing of xDS.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Timers } from "@hansa/core";
import { type Fault, MessageReader } from "./message-reader.ts";
import { STATUS, type Status, statusTrailers } from "./status.ts";

export interface CallListener {
  onMessage(bytes: Uint8Array): void;
  /** Room again after `write` had answered false. */
  onDrain(): void;
  /** The client sends no more, and waits for the status. */
  onHalfClose(): void;
  /** What arrived is no message of gRPC: the call is to be ended with this. */
  onBroken(status: Status): void;
  /** The call is over, whoever ended it. Comes once and last. */
  onGone(): void;
}

const HEADERS = { ":status": 200, "content-type": "application/grpc" };
/** A client that does not fetch its status, or goes on sending after it, is cut off after this. */
const LINGER_MS = 1000;

export class Call {
  /** As the client sent it: a credential, never to be logged. */
  readonly authorization: string | undefined;
  private readonly stream: ServerHttp2Stream;
  private readonly encoding: string | undefined;
  private readonly timers: Timers;
  private readonly onSent: (sizeBytes: number) => void;
  private ended = false;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    timers: Timers,
    onSent: (sizeBytes: number) => void = () => {},
  ) {
    this.stream = stream;
    this.onSent = onSent;
    const encoding = headers["grpc-encoding"];
    this.encoding = typeof encoding === "string" ? encoding : undefined;
    this.authorization = headers.authorization;
    this.timers = timers;
    // A reset is told by "close" as well; unheard, the error would end the process.
    stream.on("error", () => {});
  }

  /** Nobody is there any more, so that nobody would hear of its end. */
  get isGone(): boolean {
    return this.stream.closed || this.stream.destroyed;
  }

  /** Without a listener nothing is read. */
  listen(listener: CallListener, messageBytesMax: number): void {
    const { stream } = this;
    const reader = new MessageReader(messageBytesMax, (message) => {
      if (!this.ended) listener.onMessage(message);
    });
    stream.on("data", (piece: Buffer) => {
      if (this.ended) return;
      const fault = reader.push(piece);
      if (fault !== undefined) listener.onBroken(this.statusOf(fault, messageBytesMax));
    });
    stream.on("drain", () => listener.onDrain());
    stream.on("end", () => {
      if (reader.atBoundary) listener.onHalfClose();
      else listener.onBroken({ code: STATUS.INTERNAL, message: "HSA1004 message: the call ends within it" });
    });
    stream.on("close", () => listener.onGone());
  }

  /** Takes a whole frame: prefix and message. False = no more before onDrain. */
  write(frame: Uint8Array): boolean {
    if (!this.stream.headersSent) this.stream.respond(HEADERS, { waitForTrailers: true });
    this.onSent(frame.length);
    return this.stream.write(frame);
  }

  end(status: Status): void {
    const { stream } = this;
    if (this.ended || stream.closed || stream.destroyed) return;
    this.ended = true;
    const trailers = statusTrailers(status);
    if (stream.headersSent) {
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end();
    } else stream.respond({ ...HEADERS, ...trailers }, { endStream: true });
    const linger = this.timers.after(LINGER_MS, () =>
      stream.close(stream.writableFinished ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL),
    );
    stream.once("close", () => linger.cancel());
    // What the client still sends is dropped; it may not fill up its window and wait.
    stream.resume();
  }

  /** gRPC over HTTP/2, "Message-Encoding": unknown algorithm = UNIMPLEMENTED, flag without one = INTERNAL. */
  private statusOf(fault: Fault, messageBytesMax: number): Status {
    if (fault.kind === "too-large") {
      const message = `HSA1006 message: ${fault.sizeBytes} bytes, at most ${messageBytesMax} are taken`;
      return { code: STATUS.RESOURCE_EXHAUSTED, message };
    }
    if (fault.flag === 1 && this.encoding !== undefined && this.encoding !== "identity") {
      const message = `HSA1004 grpc-encoding: ${this.encoding} is not supported; send messages uncompressed`;
      return { code: STATUS.UNIMPLEMENTED, message };
    }
    const message = `HSA1004 message: flag ${fault.flag} without a known grpc-encoding; send messages uncompressed`;
    return { code: STATUS.INTERNAL, message };
  }
}
