/** An ADS server for each test, and clients of it that do nothing by themselves. Importing it registers the hooks. */
import { createHash } from "node:crypto";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { type AdsOptions, type AdsServer, serveAds } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { proto, ResourceLayer, TYPE_URL } from "@hansa/xds";
import { afterEach, beforeEach } from "vitest";
import { FrameClient } from "./http2-frames.ts";

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
export const { endpoint } = TYPE_URL;
export let layer: ResourceLayer;
export let server: AdsServer;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

export async function serve(more: Partial<AdsOptions> = {}): Promise<void> {
  server = await serveAds({
    listen: { host: "127.0.0.1", port: 0 },
    layers: [layer],
    clock: systemClock,
    timers: systemTimers,
    log: silentLog,
    metrics: noMetrics,
    ...more,
  });
  open.push(server);
}

export function session(options = {}): ClientHttp2Session {
  const one = connect(`http://${server.address}`, options);
  one.on("error", () => {});
  open.push({ close: () => one.destroy() });
  return one;
}

export async function frames(): Promise<FrameClient> {
  const client = await FrameClient.open(server.address);
  open.push(client);
  return client;
}

export const HEADERS = {
  ":method": "POST",
  ":scheme": "http",
  ":authority": "ads",
  ":path": METHOD,
  "content-type": "application/grpc",
  te: "trailers",
};

/** One call, and all that came of it. */
export class Call {
  readonly stream: ClientHttp2Stream;
  readonly ended: Promise<IncomingHttpHeaders>;
  private readonly chunks: Buffer[] = [];

  constructor(on: ClientHttp2Session, headers: OutgoingHttpHeaders = {}) {
    this.stream = on.request({ ...HEADERS, ...headers });
    const last: IncomingHttpHeaders = {};
    const note = (more: IncomingHttpHeaders) => Object.assign(last, more);
    this.stream
      .on("response", note)
      .on("trailers", note)
      .on("error", () => {});
    this.stream.on("data", (chunk: Buffer) => this.chunks.push(chunk));
    this.ended = new Promise((resolve) => this.stream.on("close", () => resolve(last)));
  }

  /** The messages that have come whole. */
  messages(): proto.DeltaDiscoveryResponse[] {
    const all = Buffer.concat(this.chunks);
    const found: proto.DeltaDiscoveryResponse[] = [];
    for (let at = 0; at + 5 <= all.length; ) {
      const end = at + 5 + all.readUInt32BE(at + 1);
      if (end > all.length) break;
      found.push(proto.fromBinary(proto.DeltaDiscoveryResponseSchema, all.subarray(at + 5, end)));
      at = end;
    }
    return found;
  }

  /** The names in them. */
  names(): string[][] {
    return this.messages().map(({ resources }) => resources.map(({ name }) => name));
  }
}

export function prefixed(message: Uint8Array, flag = 0): Buffer {
  const bytes = Buffer.alloc(5 + message.length);
  bytes[0] = flag;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

export const request = (names: string[], responseNonce = ""): Uint8Array =>
  proto.toBinary(
    proto.DeltaDiscoveryRequestSchema,
    proto.create(proto.DeltaDiscoveryRequestSchema, {
      node: { id: "n" },
      typeUrl: endpoint,
      resourceNamesSubscribe: names,
      responseNonce,
    }),
  );

export const subscribe = (...names: string[]): Uint8Array => request(names);

export const put = (...names: string[]) =>
  layer.update(
    endpoint,
    names.map((name) => [name, Buffer.from(name)] as const),
  );
