/** A bare delta ADS client: it does what a case tells it, never anything by itself. Not even an ACK. */
import { readFileSync } from "node:fs";
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { proto } from "@hansa/xds";

export interface TlsFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
}

export interface Target {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  readonly tls?: TlsFiles;
  readonly nodeId: string;
  /** Sent with the call. */
  readonly authorization?: string;
}

export interface Resource {
  readonly name: string;
  readonly version: string;
  readonly typeUrl: string;
  readonly message: Uint8Array;
  readonly hasTtl: boolean;
  readonly aliases: readonly string[];
}

export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  readonly sizeBytes: number;
}

export interface Request {
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly versions?: Readonly<Record<string, string>>;
  readonly nonce?: string;
  readonly error?: { readonly code: number; readonly message: string };
  /** Absent = the target's node on the first request of the stream, none later. null = none. */
  readonly nodeId?: string | null;
}

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const identity = (bytes: Buffer): Buffer => bytes;
/** What a healthy server on a busy machine needs at most; a missing answer costs a failing case this much. */
export const ANSWER_WITHIN_MS = 3000;
/** How long silence is watched to call it silence. */
export const QUIET_MS = 150;

export class AdsClient {
  readonly ended: Promise<StatusObject>;
  private readonly client: Client;
  private readonly call: ClientDuplexStream<Buffer, Buffer>;
  private readonly nodeId: string;
  private readonly received: Response[] = [];
  private readonly waiting = new Set<() => void>();
  private status: StatusObject | undefined;
  private first = true;

  constructor(target: Target) {
    this.nodeId = target.nodeId;
    const options = { "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": 4 << 20 };
    this.client = new Client(target.address, channelCredentials(target.tls), options);
    const metadata = new Metadata();
    if (target.authorization !== undefined) metadata.set("authorization", target.authorization);
    this.call = this.client.makeBidiStreamRequest(PATH, identity, identity, metadata);
    this.call.on("data", (bytes: Buffer) => {
      this.received.push(decode(bytes));
      this.wake();
    });
    // The status event follows and says the same.
    this.call.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.call.on("status", (status: StatusObject) => {
        this.status = status;
        resolve(status);
        this.wake();
      });
    });
  }

  send(typeUrl: string, request: Request = {}): void {
    const nodeId = request.nodeId === undefined ? (this.first ? this.nodeId : null) : request.nodeId;
    this.first = false;
    const message = proto.create(proto.DeltaDiscoveryRequestSchema, {
      typeUrl,
      resourceNamesSubscribe: [...(request.subscribe ?? [])],
      resourceNamesUnsubscribe: [...(request.unsubscribe ?? [])],
      initialResourceVersions: request.versions ?? {},
      responseNonce: request.nonce ?? "",
      ...(request.error === undefined ? {} : { errorDetail: request.error }),
      ...(nodeId === null ? {} : { node: { id: nodeId, cluster: "conformance" } }),
    });
    this.call.write(Buffer.from(proto.toBinary(proto.DeltaDiscoveryRequestSchema, message)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.call.write(Buffer.from(bytes));
  }

  ack(response: Response, request: Request = {}): void {
    this.send(response.typeUrl, { ...request, nonce: response.nonce });
  }

  nack(response: Response, error = { code: 3, message: "refused by the conformance suite" }): void {
    this.send(response.typeUrl, { nonce: response.nonce, error });
  }

  /** The next response of the type, or of any. Throws when none arrives in time or the stream ends. */
  async next(typeUrl?: string, withinMs = ANSWER_WITHIN_MS): Promise<Response> {
    const untilMs = Date.now() + withinMs;
    for (;;) {
      const index = this.received.findIndex((one) => typeUrl === undefined || one.typeUrl === typeUrl);
      if (index !== -1) return this.received.splice(index, 1)[0] as Response;
      if (this.status !== undefined)
        throw new Error(`the stream ended with ${this.status.code} ${this.status.details}`);
      const leftMs = untilMs - Date.now();
      if (leftMs <= 0) throw new Error(`no response within ${withinMs} ms`);
      await this.something(leftMs);
    }
  }

  /** Waits, then answers what has arrived unasked: an empty list is silence. */
  async quiet(ms = QUIET_MS): Promise<Response[]> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return this.received.splice(0);
  }

  endOfStream(): Promise<StatusObject> {
    return Promise.race([
      this.ended,
      new Promise<never>((_, reject) => {
        const late = new Error(`the stream did not end within ${ANSWER_WITHIN_MS} ms`);
        void this.ended.then(() => clearTimeout(timer));
        const timer = setTimeout(() => reject(late), ANSWER_WITHIN_MS);
      }),
    ]);
  }

  halfClose(): void {
    this.call.end();
  }

  close(): void {
    this.call.cancel();
    this.client.close();
  }

  private something(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }
}

function decode(bytes: Buffer): Response {
  const message = proto.fromBinary(proto.DeltaDiscoveryResponseSchema, bytes);
  return {
    typeUrl: message.typeUrl,
    nonce: message.nonce,
    removed: message.removedResources,
    sizeBytes: bytes.length,
    resources: message.resources.map(({ name, version, resource, ttl, aliases }) => ({
      name,
      version,
      typeUrl: resource?.typeUrl ?? "",
      message: resource?.value ?? new Uint8Array(),
      hasTtl: ttl !== undefined,
      aliases,
    })),
  };
}

/** The server's chain is checked against the CA, its name is not: xDS servers of a mesh carry SPIFFE IDs. */
function channelCredentials(tls: TlsFiles | undefined) {
  if (tls?.ca === undefined && tls?.cert === undefined) return credentials.createInsecure();
  const read = (file: string | undefined) => (file === undefined ? null : readFileSync(file));
  return credentials.createSsl(read(tls.ca), read(tls.key), read(tls.cert), {
    checkServerIdentity: () => undefined,
  });
}
