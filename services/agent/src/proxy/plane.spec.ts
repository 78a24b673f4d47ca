/** When a zone's resources are made, as its Envoys would see them. */
import type { ClusterName, FederationName, SpiffeId, TrustDomain } from "@hansa/core";
import { OUTBOUND_ROUTES, type ResourceLayer, TYPE_URL } from "@hansa/xds";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LocalReader } from "../local-reader.ts";
import type { LocalProxy } from "./inventory.ts";
import { DataPlane } from "./plane.ts";
import type { PlaneOptions } from "./plane-options.ts";

interface Opened {
  readonly layers: readonly ResourceLayer[];
  readonly come: () => void;
}

let opened: Map<string, Opened>;
let plane: DataPlane;

beforeEach(() => {
  opened = new Map();
  const nobody = {
    member: () => undefined,
    members: () => [],
    serviceNames: () => [],
    ofType: () => [],
    ofService: () => [],
  };
  plane = new DataPlane({
    federation: "lab.hansa" as FederationName,
    cluster: "eu" as ClusterName,
    trustDomain: "eu.lab.hansa" as TrustDomain,
    region: "eu",
    outboundPort: 15_001,
    tcpPortFirst: 20_000,
    ports: {
      clock: { monotonicMs: () => 0, nowMs: () => 0 },
      timers: { every: () => ({ cancel: () => {} }), after: () => ({ cancel: () => {} }) },
      metrics: { count: () => {}, observe: () => {}, set: () => {} },
      log: { warn: () => {}, error: () => {} },
      crypto: { sha256: (data: Uint8Array) => data },
      disk: { read: () => undefined, write: () => {} },
    } as unknown as PlaneOptions["ports"],
    reader: { ...nobody, only: () => nobody } as unknown as LocalReader,
    heads: () => [],
    clusterOf: () => undefined,
    ownRoots: () => ["AA=="],
    svid: () => ({ chain: [], key: "" }) as never,
    evidence: () => undefined,
    serve: ({ id }, layers, _onAck, come) => {
      opened.set(id, { layers, come });
      return { close: async () => {}, ackedRevision: () => undefined, status: () => undefined };
    },
  });
});
afterEach(() => plane.close());

const sidecar = (id: string, zone: string, pod?: string): LocalProxy =>
  ({
    kind: "sidecar",
    id,
    zone,
    spiffeId: `spiffe://eu.lab.hansa/${id}` as SpiffeId,
    namespace: "shop",
    address: "10.1.0.1",
    services: [],
    ...(pod === undefined ? {} : { pod: { uid: pod, name: id, serviceAccount: "default" } }),
  }) as unknown as LocalProxy;

async function serve(...proxies: readonly LocalProxy[]): Promise<void> {
  plane.proxies(new Map(proxies.map((proxy) => [proxy.id, proxy])));
  plane.open();
  await Promise.resolve();
}

/** Routes of the zone, as the proxy's stream would read them. */
const routes = (id: string): readonly string[] => [
  ...(opened.get(id)?.layers[1]?.names(TYPE_URL.route) ?? ["no layer"]),
];

it("a zone where every pod's proxy sleeps costs nothing until the first of its Envoys comes", async () => {
  await serve(sidecar("pay", "a", "1"), sidecar("caller", "a", "2"), sidecar("far", "b", "3"));
  expect(routes("pay")).toEqual([]);
  opened.get("pay")?.come();
  expect(routes("pay")).toEqual([OUTBOUND_ROUTES]);
  expect(routes("caller")).toEqual([OUTBOUND_ROUTES]);
  expect(routes("far")).toEqual([]);
});

it("what explains a proxy shows what its Envoy would be told", async () => {
  await serve(sidecar("pay", "a", "1"));
  expect(plane.layersOf("pay")[1]?.names(TYPE_URL.route)).toContain(OUTBOUND_ROUTES);
});

it("a proxy that is no pod's has its zone at once", async () => {
  await serve(sidecar("pay", "a", "1"), sidecar("vm", "b"));
  expect(routes("pay")).toEqual([]);
  expect(routes("vm")).toEqual([OUTBOUND_ROUTES]);
});
