/**
 * One watcher of all EndpointSlices as a process: `watcher.ts KIND KUBECONFIG`. Both kinds do the same work: keep what an agent needs of
 * each slice and see every change. Run with --expose-gc.
 */
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { Access, ENDPOINT_SLICES, KubeClient, type KubeObject, kubeconfig, Reflector } from "@hansa/kube";
import { DiscoveryV1Api, KubeConfig, makeInformer, type V1EndpointSlice } from "@kubernetes/client-node";
import { projectSlice } from "../../kube/support/slices.ts";
import type { Look, Order, WatcherKind } from "./talk.ts";

const [kind, path = ""] = process.argv.slice(2) as [WatcherKind, string];

collect();
const emptyHeapBytes = process.memoryUsage().heapUsed;
let changes = 0;
let isSynced = false;
const start = { hansa: startHansa, "client-node": startClientNode }[kind];
await start();

process.on("message", (order: Order) => {
  if (order === "weigh") collect();
  const { user, system } = process.cpuUsage();
  const look: Look = {
    changes,
    isSynced,
    cpuUs: user + system,
    heapBytes: process.memoryUsage().heapUsed - emptyHeapBytes,
  };
  process.send?.(look);
});
process.on("disconnect", () => process.exit());
process.send?.("started");

async function startHansa(): Promise<void> {
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    log: silentLog,
    metrics: noMetrics,
  };
  const client = new KubeClient({ access: new Access(await kubeconfig({ path }), ports), ports });
  new Reflector({
    client,
    ports,
    resource: ENDPOINT_SLICES,
    project: projectSlice,
    onChanges: (batch) => {
      changes += batch.length;
    },
    onSynced: () => {
      isSynced = true;
    },
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
  isSynced = true;
}

function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}
