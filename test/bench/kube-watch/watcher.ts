/**
 * One watcher of all EndpointSlices as a process: `watcher.ts KIND KUBECONFIG`. The kinds `hansa` and `client-node` do the same work: keep
 * what an agent needs of each slice and see every change; `agent` makes facts of them too. Run with --expose-gc.
 */
import { noMetrics, silentLog, systemClock, systemTimers, trustDomainOf } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { Access, ENDPOINT_SLICES, KubeClient, type KubeObject, kubeconfig, Reflector } from "@hansa/kube";
import { DiscoveryV1Api, KubeConfig, makeInformer, type V1EndpointSlice } from "@kubernetes/client-node";
import type { PolicyObject } from "../../../services/agent/src/source/kube/policy-objects.ts";
import { KubeSource } from "../../../services/agent/src/source/kube-source.ts";
import { projectSlice } from "../../kube/support/slices.ts";
import type { Look, Order, WatcherKind } from "./talk.ts";

const [kind, path = ""] = process.argv.slice(2) as [WatcherKind, string];

collect();
const emptyHeapBytes = process.memoryUsage().heapUsed;
let changes = 0;
let syncedMs: number | undefined;
let factCount = 0;
const ports = {
  clock: systemClock,
  timers: systemTimers,
  random: nodeRandom,
  log: silentLog,
  metrics: noMetrics,
};
const startMs = performance.now();
const start = { hansa: startHansa, agent: startAgent, "client-node": startClientNode }[kind];
await start();

process.on("message", (order: Order) => {
  if (order === "weigh") collect();
  const { user, system } = process.cpuUsage();
  const look: Look = {
    changes,
    syncedMs,
    cpuUs: user + system,
    heapBytes: process.memoryUsage().heapUsed - emptyHeapBytes,
    facts: factCount,
  };
  process.send?.(look);
});
process.on("disconnect", () => process.exit());
process.send?.("started");

async function clientOf(): Promise<KubeClient> {
  return new KubeClient({ access: new Access(await kubeconfig({ path }), ports), ports });
}

async function startHansa(): Promise<void> {
  new Reflector({
    client: await clientOf(),
    ports,
    resource: ENDPOINT_SLICES,
    project: projectSlice,
    onChanges: (batch) => {
      changes += batch.length;
    },
    onSynced: () => {
      syncedMs = performance.now() - startMs;
    },
  }).start();
}

async function startAgent(): Promise<void> {
  const place = {
    cluster: "eu",
    region: "eu-west-1",
    zones: ["a"],
    exportTo: "all",
    gatewayMode: true,
  } as const;
  new KubeSource({
    client: await clientOf(),
    ports,
    version: "v1beta1",
    policyKinds: [],
    place: { ...place, federation: "lab.hansa" },
    trustDomain: trustDomainOf(place.cluster, "lab.hansa"),
    configuredGateway: {
      kind: "MeshGateway",
      namespace: "",
      name: "gw",
      generation: 0,
      spec: { addresses: ["192.0.2.1"], port: 15_443 } as PolicyObject["spec"],
      conditions: [],
    },
    rememberedGateways: () => [],
    resolve: () => undefined,
    onEndpoints: () => {},
    name: "eu",
    expectedServices: 0,
    onFacts: (facts) => {
      factCount = facts.size;
      syncedMs = performance.now() - startMs;
    },
    onChanges: ({ exports }) => {
      changes += exports.length;
    },
    onPod: () => {},
    onNamespaces: () => {},
  }).start();
}

/** Its cache holds the whole objects; the projection is what a caller would do with each change. */
async function startClientNode(): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(path);
  const api = config.makeApiClient(DiscoveryV1Api);
  const list = () => api.listEndpointSliceForAllNamespaces();
  const informer = makeInformer<V1EndpointSlice>(config, "/apis/discovery.k8s.io/v1/endpointslices", list);
  const seen = (object: V1EndpointSlice): void => {
    projectSlice(object as unknown as KubeObject);
    changes += 1;
  };
  for (const verb of ["add", "update", "delete"] as const) informer.on(verb, seen);
  await informer.start();
  syncedMs = performance.now() - startMs;
}

function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}
