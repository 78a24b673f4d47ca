/** The 13 optional specs: DNS, connectivity, EndpointSlices, exported labels. */
import assert from "node:assert/strict";
import type { KubeCluster } from "../../../../deploy/tools/kube/cluster.ts";
import { HELLO, helloDeployment, helloService, helloStatefulSet, PORTS } from "../objects.ts";
import type { Label, Spec } from "../spec.ts";
import { AWAIT_MS, addressesIn, eventually, type Found, PODS_MS, recordsIn, type World } from "../world.ts";
import { alsoOnSecond, conflictOnBoth, exported, portsOf } from "./required.ts";

const optional = (
  id: string,
  title: string,
  labels: readonly Label[],
  control: string,
  run: Spec["run"],
): Spec => ({ id, title, labels: ["Optional", ...labels], control, run });

const SERVICE = "multicluster.kubernetes.io/service-name";
const SOURCE = "multicluster.kubernetes.io/source-cluster";
const MANAGED = "endpointslice.kubernetes.io/managed-by";
const UNKNOWN = "the name is unknown before the export";
const REPLICAS = 2;

const unknownYet = async (world: World): Promise<void> =>
  assert.deepEqual(addressesIn(await world.lookup(world.second, world.fqdn)), []);

async function headless(world: World, workload: Parameters<World["deploy"]>[2]): Promise<readonly Found[]> {
  await world.deploy(world.first, helloService({ clusterIP: "None" }), workload);
  await unknownYet(world);
  const endpoints = await eventually("ready endpoints", PODS_MS, async () => {
    const slices = await world.list(world.first, "endpointslice", `kubernetes.io/service-name=${HELLO}`);
    const ready = slices
      .filter(({ addressType }) => addressType === "IPv4")
      .flatMap(({ endpoints: listed }) => listed ?? [])
      .filter(({ conditions }) => conditions.ready);
    assert.equal(ready.length, REPLICAS);
    return ready;
  });
  await world.export(world.first);
  return endpoints;
}

const everywhere = async (
  world: World,
  what: string,
  check: (cluster: KubeCluster) => Promise<void>,
): Promise<void> => {
  for (const cluster of world.clusters)
    await eventually(`${what} in ${cluster.name}`, AWAIT_MS, () => check(cluster));
};

const answers = (world: World, cluster: KubeCluster, port = 42): Promise<void> =>
  world.call(cluster, world.fqdn, port).then((text) => assert.match(text, /pod ip/));

/** Every cluster is answered by that one's pod, and, once it is, ten times in a row. */
async function answeredBy(world: World, exporter: KubeCluster, port = 42): Promise<void> {
  const address = await eventually(`the pod of ${exporter.name}`, PODS_MS, async () => {
    const slices = await world.list(exporter, "endpointslice", `kubernetes.io/service-name=${HELLO}`);
    const ready = slices
      .flatMap(({ endpoints }) => endpoints ?? [])
      .find(({ conditions }) => conditions.ready);
    assert.ok(ready !== undefined);
    return ready.addresses[0] as string;
  });
  const isAnswered = async (cluster: KubeCluster): Promise<void> =>
    assert.match(await world.call(cluster, world.fqdn, port), new RegExp(`pod ip ${address}\\s*$`));
  for (const cluster of world.clusters) {
    await eventually(`an answer of ${exporter.name} in ${cluster.name}`, AWAIT_MS, () => isAnswered(cluster));
    for (let time = 0; time < 10; time += 1) await isAnswered(cluster);
  }
}

const DNS: readonly Spec[] = [
  optional(
    "15",
    "A DNS lookup of the <service>.<ns>.svc.clusterset.local domain for a ClusterIP service should resolve to the clusterset IP",
    ["DNS", "ClusterIP"],
    UNKNOWN,
    async (world) => {
      await world.deploy(world.first);
      await unknownYet(world);
      await world.export(world.first);
      for (const cluster of world.clusters) {
        const { spec } = await world.import(cluster, (found) => assert.ok((found.spec.ips ?? []).length > 0));
        await eventually(`the address in ${cluster.name}`, AWAIT_MS, async () =>
          assert.deepEqual(addressesIn(await world.lookup(cluster, world.fqdn)), [spec.ips[0]]),
        );
      }
    },
  ),
  optional(
    "16",
    "A DNS SRV query of the <service>.<ns>.svc.clusterset.local domain for a ClusterIP service should return valid SRV records",
    ["DNS", "ClusterIP"],
    UNKNOWN,
    async (world) => {
      await exported(world);
      await everywhere(world, "SRV records", async (cluster) => {
        const record = { port: 42, target: world.fqdn };
        for (const before of ["", "_tcp._tcp.", "_udp._udp."])
          assert.deepEqual(recordsIn(await world.lookup(cluster, before + world.fqdn, "SRV")), [record]);
      });
    },
  ),
  optional(
    "17",
    "DNS lookups of the <service>.<ns>.svc.cluster.local domain for a ClusterIP service should only resolve local services",
    ["DNS", "ClusterIP"],
    "the other clusters, which import it, do not resolve that name",
    async (world) => {
      await exported(world);
      const local = world.fqdn.replace("clusterset", "cluster");
      const { spec } = await world.get(world.first, "service", HELLO);
      await eventually("the local address", AWAIT_MS, async () =>
        assert.deepEqual(addressesIn(await world.lookup(world.first, local)), [spec.clusterIP]),
      );
      for (const cluster of world.clusters.slice(1)) {
        await world.import(cluster);
        assert.deepEqual(addressesIn(await world.lookup(cluster, local)), []);
      }
    },
  ),
  optional(
    "18",
    "A DNS query of the <service>.<ns>.svc.clusterset.local domain for a headless service should return the ready endpoint addresses of all the backing pods",
    ["DNS", "Headless"],
    UNKNOWN,
    async (world) => {
      const endpoints = await headless(world, helloDeployment(REPLICAS));
      const addresses = endpoints.map((endpoint) => endpoint.addresses[0]).sort();
      await everywhere(world, "addresses", async (cluster) =>
        assert.deepEqual(addressesIn(await world.lookup(cluster, world.fqdn)), addresses),
      );
    },
  ),
  optional(
    "19",
    "A DNS query of the <hostname>.<clusterid>.<service>.<ns>.svc.clusterset.local domain for a headless StatefulSet service should return the requested pod's endpoint address",
    ["DNS", "Headless", "EndpointSlice"],
    "the name without the host has no address",
    async (world) => {
      const endpoints = await headless(world, helloStatefulSet(REPLICAS));
      for (const { hostname, addresses } of endpoints)
        await everywhere(world, `the address of ${hostname}`, async (cluster) => {
          const name = `${hostname}.${world.first.name}.${world.fqdn}`;
          assert.deepEqual(addressesIn(await world.lookup(cluster, name)), addresses);
        });
      const bare = await world.lookup(world.second, `${world.first.name}.${world.fqdn}`);
      assert.deepEqual(addressesIn(bare), []);
    },
  ),
  optional(
    "20",
    "A DNS SRV query of the <service>.<ns>.svc.clusterset.local domain for a headless service should return valid SRV records",
    ["DNS", "Headless"],
    UNKNOWN,
    async (world) => {
      const endpoints = await headless(world, helloDeployment(REPLICAS));
      const hosts = endpoints.map(({ addresses }) => addresses[0].replaceAll(".", "-")).sort();
      await everywhere(world, "SRV records", async (cluster) => {
        const wanted = hosts.map((host) => ({
          port: 42,
          target: `${host}.${world.first.name}.${world.fqdn}`,
        }));
        for (const before of ["", "_tcp._tcp."])
          assert.deepEqual(recordsIn(await world.lookup(cluster, before + world.fqdn, "SRV")), wanted);
      });
    },
  ),
];

const CONNECTIVITY: readonly Spec[] = [
  optional(
    "21",
    "Connectivity to an exported ClusterIP service should be accessible through DNS",
    ["Connectivity", "ClusterIP"],
    "nobody answers before the export",
    async (world) => {
      await world.deploy(world.first);
      assert.doesNotMatch(await world.call(world.second, world.fqdn), /pod ip/);
      await world.export(world.first);
      await everywhere(world, "an answer", (cluster) => answers(world, cluster));
    },
  ),
  optional(
    "22",
    "Connectivity to a ClusterIP service existing in two clusters but exported from one should only access the exporting cluster",
    ["Connectivity", "ClusterIP"],
    "the second cluster's own pods answer by its cluster.local name",
    async (world) => {
      await world.deploy(world.second);
      await exported(world);
      await answeredBy(world, world.first);
      const local = world.fqdn.replace("clusterset", "cluster");
      await eventually("the local pod", AWAIT_MS, async () =>
        assert.match(await world.call(world.second, local), /pod ip/),
      );
    },
  ),
  optional(
    "23",
    "Connectivity to exported services with same port name but different port numbers on each cluster should only route traffic to the cluster that exposes the port",
    ["Connectivity", "ClusterIP", "StrictPortConflict"],
    "before the second export there is no conflict",
    async (world) => {
      await exported(world);
      await world.condition(world.first, "Conflict", "False");
      await alsoOnSecond(world, { ports: [{ ...PORTS[0], port: 4242, targetPort: 42 }] });
      await conflictOnBoth(world);
      await answeredBy(world, world.first);
      for (const cluster of world.clusters)
        assert.doesNotMatch(await world.call(cluster, world.fqdn, 4242), /pod ip/);
    },
  ),
  optional(
    "24",
    "Connectivity to exported services with different port name on each cluster should route traffic to each port only to the cluster that exposes it",
    ["Connectivity", "ClusterIP", "StrictPortConflict"],
    "before the second export nobody answers on its port",
    async (world) => {
      const other = { name: "tcp2", port: 4242, protocol: "TCP", targetPort: 42 };
      await exported(world);
      await everywhere(world, "an answer", (cluster) => answers(world, cluster));
      assert.doesNotMatch(await world.call(world.first, world.fqdn, 4242), /pod ip/);
      await alsoOnSecond(world, { ports: [other] });
      await world.import(world.first, (found) => assert.equal(portsOf(found).length, 3));
      await answeredBy(world, world.first);
      await answeredBy(world, world.second, 4242);
    },
  ),
];

const OBJECTS: readonly Spec[] = [
  optional(
    "25",
    "Exporting a service should create an MCS EndpointSlice in the service's namespace in each cluster with the required MCS labels. Unexporting should delete the EndpointSlice.",
    ["EndpointSlice"],
    "there is none before the export",
    async (world) => {
      const slices = (cluster: KubeCluster) => world.list(cluster, "endpointslice", `${SERVICE}=${HELLO}`);
      await world.deploy(world.first);
      for (const cluster of world.clusters) assert.deepEqual(await slices(cluster), []);
      await world.export(world.first);
      for (const cluster of world.clusters)
        await eventually(`an EndpointSlice in ${cluster.name}`, PODS_MS, async () => {
          const [found] = await slices(cluster);
          assert.equal(found?.metadata.labels[SOURCE], world.first.name);
          assert.notEqual(
            found.metadata.labels[MANAGED] ?? "endpointslice-controller.k8s.io",
            "endpointslice-controller.k8s.io",
          );
          assert.ok(found.endpoints.length > 0);
        });
      await world.unexport(world.first);
      for (const cluster of world.clusters)
        await eventually(`no EndpointSlice in ${cluster.name}`, AWAIT_MS, async () =>
          assert.deepEqual(await slices(cluster), []),
        );
    },
  ),
  optional(
    "26",
    "Only labels and annotations specified as exported in the ServiceExport should be propagated to the ServiceImport",
    ["ExportedLabels"],
    "the Service has others of its own",
    async (world) => {
      const own = { labels: { own: "true" }, annotations: { own: "true" } };
      await world.deploy(world.first, helloService({}, own));
      await world.nothingYet();
      await world.export(world.first, {
        exportedLabels: { "dummy-label": "true" },
        exportedAnnotations: { "dummy-annotation": "true" },
      });
      await world.import(world.first, ({ metadata: { labels, annotations } }) => {
        assert.equal(labels?.["dummy-label"], "true");
        assert.equal(annotations?.["dummy-annotation"], "true");
        assert.equal(labels?.own, undefined);
        assert.equal(annotations?.own, undefined);
      });
    },
  ),
  optional(
    "27",
    "A service exported on two clusters with conflicting annotations and labels should apply the conflict resolution policy and report a Conflict condition on each ServiceExport",
    ["ExportedLabels"],
    "before the second export there is no conflict",
    async (world) => {
      const spec = (name: string) => ({
        exportedLabels: { [name]: "true" },
        exportedAnnotations: { [name]: "true" },
      });
      await exported(world, {}, spec("dummy"));
      await world.condition(world.first, "Conflict", "False");
      await alsoOnSecond(world, {}, spec("dummy2"));
      await conflictOnBoth(world);
      await world.import(world.first, ({ metadata }) => {
        for (const shown of [metadata.labels, metadata.annotations])
          assert.deepEqual([shown.dummy, shown.dummy2], ["true", undefined]);
      });
    },
  ),
];

export const OPTIONAL: readonly Spec[] = [...DNS, ...CONNECTIVITY, ...OBJECTS];
