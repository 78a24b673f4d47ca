/** What one cluster's agent knows of another's services, and what was ever taken back of them by the hub's archive. */
import type { Name } from "../../contract/agent-rig.ts";
import type { McsRig } from "../mcs-rig.ts";

export interface AgentStatus {
  readonly source: { readonly problems: readonly string[]; readonly staleSinceMs?: number };
  readonly writer: { readonly elected: boolean; readonly synced: boolean; readonly outbox: number };
  readonly notReady: readonly string[];
  readonly digest: string;
  readonly bus: { readonly up: boolean; readonly refusal: string };
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

export const statusOf = (rig: McsRig, name: Name): Promise<AgentStatus> =>
  rig.agents.get<AgentStatus>(name, "/v1/status");

interface Endpoint {
  readonly namespace: string;
  readonly service: string;
  readonly address: string;
}

/** `shop/pay 10.1.2.3`, in order: what `observer` holds of `owner`'s log. */
export async function endpointsOf(rig: McsRig, observer: Name, owner: Name): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  for (;;) {
    const path = `/v1/endpoints?cluster=${owner}&cursor=${cursor}`;
    const { items, next } = await rig.agents.get<{ items: readonly Endpoint[]; next: string | null }>(
      observer,
      path,
    );
    found.push(...items.map(({ namespace, service, address }) => `${namespace}/${service} ${address}`));
    if (next === null) return found.sort();
    cursor = next;
  }
}

/** Keys of registers that `owner` has ever withdrawn, as the hub's archive has them. */
export async function withdrawn(rig: McsRig, owner: Name): Promise<string[]> {
  const { items } = await rig.agents.get<{ items: readonly { cluster: string; account: string }[] }>(
    owner,
    "/v1/clusters",
  );
  const account = items.find(({ cluster }) => cluster === owner)?.account;
  const rows = await rig.agents.hub.store.db.query<{ key: string }>(
    "select key from event where source = $1 and data is null and key <> '' order by position",
    [account],
  );
  return rows.map(({ key }) => key);
}

/** Sum over all labels that match. */
export async function counted(rig: McsRig, name: Name, metric: string, labels = ""): Promise<number> {
  const lines = (await rig.agents.metrics(name)).split("\n");
  return lines
    .filter((line) => line.startsWith(metric) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
