/**
 * What the clusters' files say, and changes of it: readiness of single endpoints, replicas of a service. Owns the truth
 * against which archive and agents are compared.
 */
import type { Seeded } from "../sim/kernel.ts";
import type { Cluster, Rig } from "./rig.ts";

/** One replica is always ready: an export without any is a finding of `hansa check`. */
const STOCK_REPLICAS = [2, 3];

/** `cluster/ns/service/id address ready`, sorted: as the lab's own processes are. */
export async function trueEndpoints(rig: Rig): Promise<string[]> {
  const [place, components] = await Promise.all([rig.place(), rig.components()]);
  const running = new Set(components.filter(({ state }) => state === "running").map(({ name }) => name));
  return place.replicas
    .filter(({ workload }) => workload !== "web")
    .map(({ cluster, namespace, workload, id, address }) => {
      const name = `${cluster}/${namespace}/${workload}/${id}`;
      const ready = running.has(`${name}/app`) && running.has(`${name}/sidecar`);
      return `${name} ${address} ${ready}`;
    })
    .sort();
}

/** One change in one cluster. `agentLives`: a new replica's sidecar gets its bootstrap from there. */
export async function changeFact(
  rig: Rig,
  random: Seeded,
  cluster: Cluster,
  agentLives: boolean,
): Promise<string> {
  const apps = (await rig.components()).filter(
    ({ name, kind }) => kind === "app" && name.startsWith(`${cluster}/shop/stock/`),
  );
  if (agentLives && random.chance(0.4)) {
    const count = STOCK_REPLICAS.find((replicas) => replicas !== apps.length) ?? 2;
    await rig.scale(`${cluster}/shop/stock`, count);
    return `${cluster}/shop/stock scaled to ${count}`;
  }
  const app = apps[1 + random.below(apps.length - 1)];
  if (app === undefined) throw new Error(`${cluster}/shop/stock: no second replica`);
  const action = app.state === "paused" ? "resume" : "pause";
  await rig.act(action, app.name);
  return `${app.name} ${action}d`;
}
