/** The 14 required specs. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { HELLO, helloService, type Json, PORTS, type PortJson } from "../objects.ts";
import type { Label, Spec } from "../spec.ts";
import { AWAIT_MS, eventually, type Found, OLDER_MS, pause, type World } from "../world.ts";

const required = (
  id: string,
  title: string,
  labels: readonly Label[],
  control: string,
  run: Spec["run"],
): Spec => ({ id, title, labels: ["Required", ...labels], control, run });

/** Hello on the first cluster, exported, once it is sure that nothing was there before. */
export async function exported(world: World, service: Json = {}, spec: Json = {}): Promise<void> {
  await world.deploy(world.first, helloService(service));
  await world.nothingYet();
  await world.export(world.first, spec);
}

/** The same on the second, younger by more than the clock's step. */
export async function alsoOnSecond(world: World, service: Json = {}, spec: Json = {}): Promise<void> {
  await world.import(world.first);
  await pause(OLDER_MS);
  await world.deploy(world.second, helloService(service));
  await world.export(world.second, spec);
}

export const portsOf = (found: Found): PortJson[] =>
  [...(found.spec.ports as PortJson[])]
    .map(({ name, port, protocol }) => ({ name, port, protocol }))
    .sort(byName);

const byName = (a: PortJson, b: PortJson): number => (a.name < b.name ? -1 : 1);

export async function conflictOnBoth(world: World): Promise<void> {
  await world.condition(world.first, "Conflict", "True");
  await world.condition(world.second, "Conflict", "True");
}

const goneOnUnexport = async (world: World): Promise<void> => {
  await world.unexport(world.first);
  await Promise.all(world.clusters.map((cluster) => world.noImport(cluster)));
};

const NONE = "nothing is imported before the export";

export const REQUIRED: readonly Spec[] = [
  required(
    "1",
    "Connectivity to a service that is not exported should be inaccessible",
    [],
    "the same call is answered once the service is exported",
    async (world) => {
      await world.deploy(world.first);
      for (const cluster of world.clusters)
        for (let time = 0; time < 20; time += 1)
          assert.doesNotMatch(await world.call(cluster, world.fqdn), /pod ip/);
      await world.export(world.first);
      for (const cluster of world.clusters)
        await eventually(`an answer in ${cluster.name}`, AWAIT_MS, async () =>
          assert.match(await world.call(cluster, world.fqdn), /pod ip/),
        );
    },
  ),
  required(
    "2",
    "A ServiceImport should only exist as long as there's at least one exporting cluster",
    [],
    NONE,
    async (world) => {
      await exported(world);
      await alsoOnSecond(world);
      await world.import(world.first, ({ status }) => assert.equal(status.clusters.length, 2));
      await world.unexport(world.first);
      await world.import(world.first, ({ status }) => assert.equal(status.clusters.length, 1));
      await pause(2000);
      await world.import(world.first);
      await world.unexport(world.second);
      await world.noImport(world.first);
    },
  ),
  required(
    "3",
    "Exporting a ClusterIP service should create a ServiceImport of type ClusterSetIP in the service's namespace in each cluster. Unexporting should delete the ServiceImport",
    ["ClusterIP"],
    NONE,
    async (world) => {
      await exported(world);
      for (const cluster of world.clusters)
        await world.import(cluster, ({ spec }) => assert.equal(spec.type, "ClusterSetIP"));
      await world.condition(world.first, "Valid", "True");
      await goneOnUnexport(world);
    },
  ),
  required(
    "4",
    "The SessionAffinity for a ClusterSetIP ServiceImport should match the exported service's SessionAffinity",
    ["ClusterIP"],
    NONE,
    async (world) => {
      await exported(world);
      await world.import(world.first, ({ spec }) => {
        assert.equal(spec.sessionAffinity, "ClientIP");
        assert.deepEqual(spec.sessionAffinityConfig, { clientIP: { timeoutSeconds: 10 } });
      });
    },
  ),
  required(
    "5",
    "The InternalTrafficPolicy for a ClusterSetIP ServiceImport should match the exported service's InternalTrafficPolicy",
    ["ClusterIP"],
    "it follows the Service to another policy",
    async (world) => {
      const shows = (policy: string) =>
        world.import(world.first, ({ spec }) => assert.equal(spec.internalTrafficPolicy, policy));
      await exported(world, { internalTrafficPolicy: "Cluster" });
      await shows("Cluster");
      await world.apply(world.first, helloService({ internalTrafficPolicy: "Local" }));
      await shows("Local");
    },
  ),
  required(
    "6",
    "The TrafficDistribution for a ClusterSetIP ServiceImport should match the exported service's TrafficDistribution",
    ["ClusterIP"],
    NONE,
    async (world) => {
      await exported(world, { trafficDistribution: "PreferClose" });
      await world.import(world.first, ({ spec }) => assert.equal(spec.trafficDistribution, "PreferClose"));
    },
  ),
  required(
    "7",
    "An IP should be allocated for a ClusterSetIP ServiceImport for each IP family",
    ["ClusterIP"],
    NONE,
    async (world) => {
      await exported(world);
      await world.import(world.first, ({ spec }) => {
        assert.ok(spec.ips.length > 0);
        assert.deepEqual(
          (spec.ips as string[]).map((ip) => `IPv${isIP(ip)}`),
          spec.ipFamilies,
        );
      });
    },
  ),
  required(
    "8",
    "The ports for a ClusterSetIP ServiceImport should match those of the exported service",
    ["ClusterIP"],
    NONE,
    async (world) => {
      await exported(world);
      await world.import(world.first, (found) => assert.deepEqual(portsOf(found), PORTS));
    },
  ),
  required(
    "9",
    "A ClusterIP service exported on two clusters should expose the union of the constituent service ports and raise a conflict",
    ["ClusterIP"],
    "before the second export there are the first's ports alone",
    async (world) => {
      const sctp = { name: "stcp", port: 142, protocol: "SCTP" };
      await exported(world);
      await world.import(world.first, (found) => assert.deepEqual(portsOf(found), PORTS));
      await alsoOnSecond(world, { ports: [PORTS[0], sctp] });
      await world.import(world.first, (found) =>
        assert.deepEqual(portsOf(found), [...PORTS, sctp].sort(byName)),
      );
      await conflictOnBoth(world);
    },
  ),
  required(
    "10",
    "A ClusterIP service exported on two clusters with conflicting ports should apply the conflict resolution policy and report a Conflict condition on each ServiceExport",
    ["ClusterIP"],
    "without the second export there is no conflict",
    async (world) => {
      await exported(world);
      await world.condition(world.first, "Conflict", "False");
      await alsoOnSecond(world, { ports: [{ ...PORTS[0], port: 43 }] });
      await conflictOnBoth(world);
      await world.import(world.first, (found) => assert.deepEqual(portsOf(found), PORTS));
    },
  ),
  required(
    "11",
    "Exporting a headless service should create a ServiceImport of type Headless in the service's namespace in each cluster. Unexporting should delete the ServiceImport",
    ["Headless"],
    NONE,
    async (world) => {
      await exported(world, { clusterIP: "None" });
      for (const cluster of world.clusters)
        await world.import(cluster, ({ spec }) => assert.equal(spec.type, "Headless"));
      await goneOnUnexport(world);
    },
  ),
  required(
    "12",
    "No clusterset IP should be allocated for a Headless ServiceImport",
    ["Headless"],
    NONE,
    async (world) => {
      await exported(world, { clusterIP: "None" });
      await world.import(world.first);
      for (let second = 0; second < 5; second += 1) {
        const { spec } = await world.get(world.first, "serviceimport", HELLO);
        assert.deepEqual(spec.ips ?? [], []);
        await pause(1000);
      }
    },
  ),
  required(
    "13",
    "Exporting an ExternalName service should set ServiceExport Valid condition to False",
    ["ExternalName"],
    "the same name as a ClusterIP service is valid and imported",
    async (world) => {
      const external = { apiVersion: "v1", kind: "Service", metadata: { name: HELLO } };
      await world.apply(world.first, {
        ...external,
        spec: { type: "ExternalName", externalName: "example.com" },
      });
      await world.export(world.first);
      await world.condition(world.first, "Valid", "False");
      await pause(5000);
      await world.nothingYet();
      await world.first.kubectl.ok(["-n", world.namespace, "delete", "service", HELLO]);
      await world.deploy(world.first);
      await world.condition(world.first, "Valid", "True");
      await world.import(world.first);
    },
  ),
  required(
    "14",
    "A service exported on two clusters with conflicting headlessness should apply the conflict resolution policy and report a Conflict condition on the ServiceExport",
    [],
    "without the second export there is no conflict",
    async (world) => {
      await exported(world);
      await world.condition(world.first, "Conflict", "False");
      await alsoOnSecond(world, { clusterIP: "None" });
      await conflictOnBoth(world);
      for (const cluster of world.clusters)
        await world.import(cluster, ({ spec }) => assert.equal(spec.type, "ClusterSetIP"));
    },
  ),
];
