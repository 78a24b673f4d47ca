/** A bare HTTP/2 client that sends the frames it is told to, wrong ones included, and answers nothing by itself. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7 } as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)) {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** HPACK: literals without indexing and without Huffman (RFC 7541 §6.2.2). Texts of at most 126 bytes. */
export const headerBlock = (headers: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  );

export class FrameClient {
  readonly received: Frame[] = [];
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private rest = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.read(bytes));
  }

  /** Connected, with the preface and empty SETTINGS sent. */
  static async open(address: string): Promise<FrameClient> {
    const [host = "", port] = address.split(":");
    const socket = connect(Number(port), host);
    await once(socket, "connect");
    const client = new FrameClient(socket);
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.settings, 0, 0));
    return client;
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  count(type: number): number {
    return this.received.filter((one) => one.type === type).length;
  }

  /** The error code of GOAWAY; undefined where there was none. */
  goAwayCode(): number | undefined {
    return this.received.findLast(({ type }) => type === FRAME.goAway)?.payload.readUInt32BE(4);
  }

  close(): void {
    this.socket.destroy();
  }

  private read(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.rest.readUIntBE(0, 3);
      if (this.rest.length < end) return;
      const [type = 0, flags = 0] = this.rest.subarray(3, 5);
      const payload = this.rest.subarray(HEADER_BYTES, end);
      this.received.push({ type, flags, stream: this.rest.readUInt32BE(5), payload });
      this.rest = this.rest.subarray(end);
    }
  }
}
