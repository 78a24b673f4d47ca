import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TYPE_URL } from "../type-urls.ts";
import { ResourceLayer } from "./layer.ts";
import { ProxyMemory } from "./rejections.ts";
import { DeltaStream } from "./stream.ts";
import { decodeResponse, message, type Received, request } from "./stream-fixture.ts";

const { cluster, endpoint, listener, route } = TYPE_URL;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const NAMES = ["a", "b", "c"];

type Step =
  | { kind: "swap"; from: string; to: string; salt: number }
  | { kind: "endpoint"; name: string; salt: number }
  | { kind: "answer"; index: number }
  | { kind: "reconnect" }
  | { kind: "resubscribe"; name: string }
  | { kind: "wait" };

const name = fc.constantFrom(...NAMES);
const salt = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("swap" as const), from: name, to: name, salt }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("endpoint" as const), name, salt }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("answer" as const), index: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resubscribe" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const) }) },
);

/**
 * Like the real one: wildcard clusters and listeners, endpoints of the clusters it has, routes of the listeners it has.
 * Answers when the test says so, but always in the order of arrival per type. Refuses what `isBad`.
 */
class Envoy {
  readonly held = new Map<string, Map<string, string>>(
    [cluster, endpoint, listener, route].map((url) => [url, new Map()]),
  );
  readonly versions = new Map<string, Map<string, string>>(
    [cluster, endpoint, listener, route].map((url) => [url, new Map()]),
  );
  readonly unanswered: Received[] = [];
  readonly broken: string[] = [];
  readonly isBad: (text: string) => boolean;
  private readonly wanted = { [endpoint]: new Set<string>(), [route]: new Set<string>() };
  private stream: DeltaStream;
  private readonly open: () => DeltaStream;

  constructor(open: () => DeltaStream, isBad: (text: string) => boolean) {
    this.open = open;
    this.isBad = isBad;
    this.stream = this.connect();
  }

  connect(): DeltaStream {
    this.stream?.close();
    this.stream = this.open();
    this.unanswered.length = 0;
    for (const typeUrl of [cluster, endpoint, listener, route]) {
      const names = typeUrl === endpoint || typeUrl === route ? this.wanted[typeUrl] : undefined;
      if (names?.size === 0) continue;
      const initialVersions = this.versions.get(typeUrl) ?? new Map();
      this.stream.onRequest(
        request({ typeUrl, nodeId: "p", subscribe: [...(names ?? [])], initialVersions }),
      );
    }
    return this.stream;
  }

  /** Envoy applies a response when it arrives; only its answer may take time. */
  receive(): boolean {
    let any = false;
    for (let bytes = this.stream.pump(); bytes !== undefined; bytes = this.stream.pump()) {
      any = true;
      const received = decodeResponse(bytes);
      this.unanswered.push(received);
      if (![...received.resources.values()].some(this.isBad)) this.apply(received);
    }
    return any;
  }

  answer(index: number): void {
    const [received] = this.unanswered.splice(index % this.unanswered.length, 1);
    if (received === undefined) return;
    const { typeUrl, nonce, resources } = received;
    const earlier = this.unanswered.findIndex(
      (one) => one.typeUrl === typeUrl && Number(one.nonce) < Number(nonce),
    );
    if (earlier !== -1) {
      this.unanswered.push(received);
      this.answer(earlier);
      return;
    }
    const error = [...resources.values()].some(this.isBad) ? { code: 3, message: "bad" } : undefined;
    this.stream.onRequest(request({ typeUrl, nonce, error }));
  }

  resubscribe(one: string): void {
    if (this.wanted[endpoint].has(one))
      this.stream.onRequest(request({ typeUrl: endpoint, subscribe: [one] }));
  }

  wakeAtMs(): number | undefined {
    return this.stream.wakeAtMs();
  }

  private apply({ typeUrl, resources, versions, removed }: Received): void {
    const held = this.held.get(typeUrl) as Map<string, string>;
    for (const [one, text] of resources) held.set(one, text);
    for (const [one, version] of versions) this.versions.get(typeUrl)?.set(one, version);
    for (const one of removed) {
      held.delete(one);
      this.versions.get(typeUrl)?.delete(one);
    }
    if (typeUrl === cluster) this.follow(endpoint, held.keys());
    if (typeUrl === listener) this.follow(route, held.keys());
    const clusters = this.held.get(cluster) as Map<string, string>;
    for (const url of [listener, route])
      for (const [one, text] of this.held.get(url) ?? [])
        if (!clusters.has(text.split(" ")[0] as string)) this.broken.push(`${url} ${one} names ${text}`);
  }

  private follow(typeUrl: typeof endpoint | typeof route, names: Iterable<string>): void {
    const wanted = this.wanted[typeUrl];
    const next = new Set(names);
    const subscribe = [...next].filter((one) => !wanted.has(one));
    const unsubscribe = [...wanted].filter((one) => !next.has(one));
    this.wanted[typeUrl] = next;
    for (const one of unsubscribe) this.held.get(typeUrl)?.delete(one);
    for (const one of unsubscribe) this.versions.get(typeUrl)?.delete(one);
    if (subscribe.length + unsubscribe.length > 0)
      this.stream.onRequest(request({ typeUrl, subscribe, unsubscribe }));
  }
}

function world(isBad: (text: string) => boolean) {
  const layer = new ResourceLayer({ sha256 });
  const clock = { nowMs: 0 };
  const memory = new ProxyMemory();
  const commit = (changes: Record<string, Record<string, string | null>>) =>
    layer.commit(
      Object.entries(changes).map(([typeUrl, entries]) => [
        typeUrl,
        Object.entries(entries).map(([one, text]) => [one, text === null ? null : message(text)] as const),
      ]),
    );
  commit({ [cluster]: { a: "0" }, [endpoint]: { a: "0" }, [listener]: { l: "a 0" }, [route]: { l: "a 0" } });
  const open = () =>
    new DeltaStream({ layers: [layer], owner: "p", memory, nowMs: () => clock.nowMs, onWork: () => {} });
  return { layer, clock, commit, proxy: new Envoy(open, isBad) };
}

function play(steps: readonly Step[], isBad: (text: string) => boolean = () => false) {
  const { layer, clock, commit, proxy } = world(isBad);
  let current = "a";
  proxy.receive();
  for (const one of steps) {
    // Traffic moves from the current cluster to another, and the old one goes, all in one commit.
    if (one.kind === "swap") {
      const { to, salt: text } = one;
      const gone = to === current ? {} : { [current]: null };
      commit({
        [cluster]: { [to]: String(text), ...gone },
        [endpoint]: { [to]: String(text), ...gone },
        [listener]: { l: `${to} ${text}` },
        [route]: { l: `${to} ${text}` },
      });
      current = to;
    } else if (one.kind === "endpoint") {
      if (layer.get(cluster, one.name) !== undefined) commit({ [endpoint]: { [one.name]: `${one.salt}` } });
    } else if (one.kind === "answer") {
      if (proxy.unanswered.length > 0) proxy.answer(one.index);
    } else if (one.kind === "resubscribe") proxy.resubscribe(one.name);
    else if (one.kind === "reconnect") proxy.connect();
    else clock.nowMs += 100;
    proxy.receive();
  }
  for (let round = 0; round < 2000; round += 1) {
    if (proxy.unanswered.length > 0) proxy.answer(0);
    if (proxy.receive() || proxy.unanswered.length > 0) continue;
    const at = proxy.wakeAtMs();
    if (at === undefined) break;
    clock.nowMs = Math.max(clock.nowMs, at);
    expect(round).toBeLessThan(1999);
  }
  return { layer, proxy };
}

const stateOf = (layer: ResourceLayer, typeUrl: string) =>
  Object.fromEntries(
    [...layer.names(typeUrl)].map((one) => [one, new TextDecoder().decode(layer.get(typeUrl, one)?.message)]),
  );

test("whatever happens in between, a proxy ends with exactly what the layers hold", () => {
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { layer, proxy } = play(steps);
      for (const typeUrl of [cluster, endpoint, listener, route])
        expect([typeUrl, Object.fromEntries(proxy.held.get(typeUrl) ?? [])]).toEqual([
          typeUrl,
          stateOf(layer, typeUrl),
        ]);
    }),
    { numRuns: 600 },
  );
});

test("no listener and no route ever names a cluster that the proxy does not have", () => {
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const connected = steps.filter(({ kind }) => kind !== "reconnect");
      expect(play(connected).proxy.broken).toEqual([]);
    }),
    { numRuns: 600 },
  );
});

test("a proxy that refuses some content keeps the last good of it and gets everything else", () => {
  const isBad = (text: string) => text.endsWith("3");
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { layer, proxy } = play(steps, isBad);
      // Endpoints of a refused new cluster are never asked for, so only what the proxy follows is compared.
      const clusters = stateOf(layer, cluster);
      for (const [one, text] of Object.entries(clusters))
        if (!isBad(text)) expect(proxy.held.get(cluster)?.get(one)).toBe(text);
      for (const [one, text] of Object.entries(stateOf(layer, endpoint)))
        if (!isBad(text) && proxy.held.get(cluster)?.has(one))
          expect(proxy.held.get(endpoint)?.get(one)).toBe(text);
      for (const held of proxy.held.values())
        for (const text of held.values()) expect(isBad(text)).toBe(false);
    }),
    { numRuns: 400 },
  );
});
