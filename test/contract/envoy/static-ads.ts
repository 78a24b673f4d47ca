/**
 * A delta ADS server that serves exactly what it is told, wrong things included: the product's own server would refuse
 * them. One unix socket, one proxy. Keeps what was sent, resends CLA X after cluster X, counts answers.
 */
import { createHash } from "node:crypto";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  decodeDeltaRequest,
  encodeDeltaResponse,
  type NamedMessage,
  PUSH_ORDER,
  type Resources,
  TYPE_URL,
  type TypeUrl,
} from "@hansa/xds";

export interface Nack {
  readonly typeUrl: string;
  readonly message: string;
}

export interface StaticAds {
  /** Sends what differs; resolves with the refusals once every answer is in. */
  push(resources: Resources): Promise<readonly Nack[]>;
  readonly nacks: readonly Nack[];
  close(): void;
}

type Stream = ServerDuplexStream<Buffer, Buffer>;
const KINDS = [
  [TYPE_URL.cluster, "clusters"],
  [TYPE_URL.endpoint, "endpoints"],
  [TYPE_URL.listener, "listeners"],
  [TYPE_URL.route, "routes"],
  [TYPE_URL.secret, "secrets"],
  [TYPE_URL.extensionConfig, "extensionConfigs"],
] as const;

const wildcard = (typeUrl: string): boolean => typeUrl === TYPE_URL.cluster || typeUrl === TYPE_URL.listener;
const versionOf = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex").slice(0, 16);

class Session {
  readonly #stream: Stream;
  readonly #names = new Map<string, Set<string>>();
  readonly #sent = new Map<string, Map<string, Uint8Array>>();
  readonly #open = new Set<string>();
  #nonce = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get answered(): boolean {
    return this.#open.size === 0;
  }

  request(
    bytes: Uint8Array,
    world: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
    nack: (nack: Nack) => void,
  ): void {
    const decoded = decodeDeltaRequest(bytes);
    if (decoded.kind !== "request") throw new Error(decoded.message);
    const { typeUrl, subscribe, unsubscribe, nonce, error } = decoded.request;
    if (nonce !== "") this.#open.delete(nonce);
    if (error !== undefined) nack({ typeUrl, message: error.message });
    const isNew = !this.#names.has(typeUrl);
    const names = this.#names.get(typeUrl) ?? new Set<string>();
    this.#names.set(typeUrl, names);
    for (const name of subscribe) names.add(name);
    for (const name of unsubscribe) names.delete(name);
    const all = world.get(typeUrl) ?? new Map<string, Uint8Array>();
    const wanted = wildcard(typeUrl) ? (isNew ? [...all.keys()] : []) : subscribe;
    if (wanted.length > 0 || (isNew && wildcard(typeUrl))) this.#send(typeUrl, wanted, all);
  }

  update(world: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>): void {
    let changedClusters: readonly string[] = [];
    for (const typeUrl of PUSH_ORDER) {
      const names = this.#names.get(typeUrl);
      if (names === undefined) continue;
      const all = world.get(typeUrl) ?? new Map<string, Uint8Array>();
      const sent = this.#sent.get(typeUrl) ?? new Map<string, Uint8Array>();
      const inScope = (name: string): boolean => wildcard(typeUrl) || names.has(name);
      const changed = [...new Set([...all.keys(), ...sent.keys()])].filter((name) => {
        const [a, b] = [all.get(name), sent.get(name)];
        return inScope(name) && (a === undefined || b === undefined || Buffer.compare(a, b) !== 0);
      });
      if (typeUrl === TYPE_URL.cluster) changedClusters = changed;
      const again = typeUrl === TYPE_URL.endpoint ? changedClusters.filter((name) => names.has(name)) : [];
      const due = [...new Set([...changed, ...again])];
      if (due.length > 0) this.#send(typeUrl, due, all);
    }
  }

  #send(typeUrl: TypeUrl | string, names: readonly string[], all: ReadonlyMap<string, Uint8Array>): void {
    const sent = this.#sent.get(typeUrl) ?? new Map<string, Uint8Array>();
    this.#sent.set(typeUrl, sent);
    const resources: NamedMessage[] = [];
    const removed: string[] = [];
    for (const name of names) {
      const bytes = all.get(name);
      if (bytes === undefined) {
        removed.push(name);
        sent.delete(name);
      } else {
        resources.push({ name, version: versionOf(bytes), message: bytes });
        sent.set(name, bytes);
      }
    }
    const nonce = String(++this.#nonce);
    this.#open.add(nonce);
    this.#stream.write(Buffer.from(encodeDeltaResponse({ typeUrl, nonce, resources, removed })));
  }
}

export async function serveStatic(socketPath: string, first: Resources): Promise<StaticAds> {
  let world = byType(first);
  const nacks: Nack[] = [];
  const sessions = new Set<Session>();
  const server = new Server();
  const asBuffer = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      delta: {
        path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
        requestStream: true,
        responseStream: true,
        requestSerialize: asBuffer,
        requestDeserialize: asBuffer,
        responseSerialize: asBuffer,
        responseDeserialize: asBuffer,
      },
    },
    {
      delta(stream: Stream) {
        const session = new Session(stream);
        sessions.add(session);
        stream.on("data", (bytes: Buffer) => session.request(bytes, world, (nack) => nacks.push(nack)));
        stream.on("error", () => sessions.delete(session));
        stream.on("end", () => {
          sessions.delete(session);
          stream.end();
        });
      },
    } as UntypedServiceImplementation,
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  return {
    nacks,
    async push(resources) {
      const before = nacks.length;
      world = byType(resources);
      for (const session of sessions) session.update(world);
      for (let turn = 0; turn < 400; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if ([...sessions].every((session) => session.answered) && turn >= 4) return nacks.slice(before);
      }
      throw new Error("static ADS: the proxy did not answer within 2 s");
    },
    close: () => server.forceShutdown(),
  };
}

const byType = (resources: Resources): ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> =>
  new Map(KINDS.map(([typeUrl, kind]) => [typeUrl, resources[kind]]));
