/** For specs: a client that applies what a DeltaStream sends, as an xDS client must, and complains where it may. */
import { assert, utf8 } from "@hansa/core";
import { DeltaDiscoveryResponseSchema, fromBinary } from "../../gen/index.ts";
import type { DeltaRequest } from "../encode/delta-request.ts";
import type { ResourceLayer } from "./layer.ts";
import { DeltaStream } from "./stream.ts";
import type { Outcome, StreamOptions } from "./stream-types.ts";

export interface Received {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: ReadonlyMap<string, string>;
  readonly versions: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
}

export const message = (text: string): Uint8Array => utf8(text);

export function decodeResponse(frame: Uint8Array): Received {
  const response = fromBinary(DeltaDiscoveryResponseSchema, frame.subarray(5));
  const names = [...response.resources.map(({ name }) => name), ...response.removedResources];
  assert(new Set(names).size === names.length, "a name is never twice in one response");
  return {
    typeUrl: response.typeUrl,
    nonce: response.nonce,
    resources: new Map(
      response.resources.map(({ name, resource }) => [name, new TextDecoder().decode(resource?.value)]),
    ),
    versions: new Map(response.resources.map(({ name, version }) => [name, version])),
    removed: response.removedResources,
  };
}

export function request(fields: Partial<DeltaRequest> & { typeUrl: string }): DeltaRequest {
  return {
    nodeId: undefined,
    subscribe: [],
    unsubscribe: [],
    initialVersions: new Map(),
    nonce: "",
    error: undefined,
    ...fields,
  };
}

export class FixtureClient {
  readonly stream: DeltaStream;
  /** Per type, what a client holds that accepted everything so far. */
  readonly held = new Map<string, Map<string, string>>();
  readonly versions = new Map<string, Map<string, string>>();

  constructor(stream: DeltaStream, nodeId = "node") {
    this.stream = stream;
    this.nodeId = nodeId;
  }

  private nodeId: string | undefined;

  send(fields: Partial<DeltaRequest> & { typeUrl: string }): Outcome {
    const outcome = this.stream.onRequest(request({ nodeId: this.nodeId, ...fields }));
    this.nodeId = undefined;
    return outcome;
  }

  /** Everything that the stream sends without a further request, in order. */
  drain(): Received[] {
    const all: Received[] = [];
    for (let bytes = this.stream.pump(); bytes !== undefined; bytes = this.stream.pump()) {
      all.push(decodeResponse(bytes));
      assert(all.length < 10_000, "the stream stops sending");
    }
    return all;
  }

  ack({ typeUrl, nonce }: Received, fields: Partial<DeltaRequest> = {}): Outcome {
    return this.send({ typeUrl, nonce, ...fields });
  }

  nack({ typeUrl, nonce }: Received, text = "no"): Outcome {
    return this.send({ typeUrl, nonce, error: { code: 3, message: text } });
  }

  apply({ typeUrl, resources, versions, removed }: Received): void {
    const held = this.held.get(typeUrl) ?? new Map<string, string>();
    const heldVersions = this.versions.get(typeUrl) ?? new Map<string, string>();
    for (const [name, content] of resources) held.set(name, content);
    for (const [name, version] of versions) heldVersions.set(name, version);
    for (const name of removed) held.delete(name);
    for (const name of removed) heldVersions.delete(name);
    this.held.set(typeUrl, held);
    this.versions.set(typeUrl, heldVersions);
  }

  /** Applies and acknowledges until nothing more comes. */
  settle(): Received[] {
    const all: Received[] = [];
    for (let batch = this.drain(); batch.length > 0; batch = this.drain()) {
      for (const received of batch) {
        this.apply(received);
        this.ack(received);
      }
      all.push(...batch);
      assert(all.length < 10_000, "the stream comes to rest");
    }
    return all;
  }
}

/** Type → name → content. */
export type Resources = Record<string, Record<string, string>>;

/** A layer with some resources, a clock to turn, and streams over it. */
export function worldOf(layer: ResourceLayer, resources: Resources, options: Partial<StreamOptions>) {
  const put = (changes: Record<string, Record<string, string | null>>) =>
    layer.commit(
      Object.entries(changes).map(([typeUrl, names]) => [
        typeUrl,
        Object.entries(names).map(([name, text]) => [name, text === null ? null : message(text)] as const),
      ]),
    );
  put(resources);
  const clock = { nowMs: 1000 };
  let work = 0;
  const connect = (more: Partial<StreamOptions> = {}) =>
    new FixtureClient(
      new DeltaStream({
        layers: [layer],
        nowMs: () => clock.nowMs,
        onWork: () => {
          work += 1;
        },
        ...options,
        ...more,
      }),
    );
  return { layer, put, clock, connect, client: connect(), work: () => work };
}

export const brief = (received: readonly Received[]) =>
  received.map(({ typeUrl, resources, removed }) => [
    typeUrl.slice(typeUrl.lastIndexOf(".") + 1),
    Object.fromEntries(resources),
    removed,
  ]);
