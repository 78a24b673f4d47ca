/** A client of libs/kube to one cluster of a lab, and what was counted and logged meanwhile. */
import { type Labels, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import {
  Access,
  AGENT_RIGHTS,
  type KubeClient as Client,
  KubeClient,
  type KubePorts,
  type Material,
  type MaterialSource,
  type Right,
} from "@hansa/kube";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";

export interface Counted extends KubePorts {
  /** Sum of a counter over the labels that are not named. */
  counted(name: string, labels?: Labels): number;
  readonly logged: readonly string[];
}

export function ports(): Counted {
  const counts = new Map<string, { readonly name: string; readonly labels: Labels; sum: number }>();
  const logged: string[] = [];
  const log = { ...silentLog };
  for (const level of ["info", "warn", "error"] as const)
    log[level] = (message, fields) => void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  return {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    log: { ...log, with: () => log },
    metrics: {
      count(name, labels = {}, by = 1) {
        const series = `${name} ${JSON.stringify(labels)}`;
        const counted = counts.get(series) ?? { name, labels, sum: 0 };
        counted.sum += by;
        counts.set(series, counted);
      },
      gauge: () => {},
      observe: () => {},
    },
    logged,
    counted: (name, labels = {}) =>
      [...counts.values()]
        .filter((each) => each.name === name)
        .filter((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))
        .reduce((sum, each) => sum + each.sum, 0),
  };
}

/** As `server`, e.g. of a proxy in front; a token other than the administrator's where one is given. */
export interface As {
  readonly server?: string;
  readonly token?: string;
  readonly rights?: readonly Right[] | undefined;
}

export const adminOf = (
  cluster: KubeCluster,
  { server = cluster.url, token = cluster.adminToken }: As = {},
): MaterialSource => ({
  server,
  namespace: "default",
  name: cluster.name,
  read: (): Promise<Material> =>
    Promise.resolve({ tls: { ca: cluster.caPem }, headers: { authorization: `Bearer ${token}` } }),
});

/** Refuses, by default, whatever is not in the agent's table of rights. */
export function clientOf(cluster: KubeCluster, own: KubePorts, as: As = {}): Client {
  const rights = "rights" in as ? as.rights : AGENT_RIGHTS;
  return new KubeClient({ access: new Access(adminOf(cluster, as), own), ports: own, rights });
}
