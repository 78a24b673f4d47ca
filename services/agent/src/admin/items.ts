/** Registers as items of the read API: the same shapes as the hub's, so that a tool reads either. Pure. */
import type { LinkValue, RegisterType } from "@hansa/events";
import type { Federation, FederationReader, Member, RegisterView } from "@hansa/model";

type Item = Readonly<Record<string, unknown>>;

interface Place {
  readonly cluster: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: number;
  readonly effective: boolean;
  readonly value: unknown;
}

function placeOf(cluster: string, view: RegisterView, effective: boolean): Place {
  const { epoch, seq } = view.position;
  return { cluster, epoch, seq, at: view.at, effective, value: view.value };
}

const SHAPES: Partial<Record<RegisterType, (parts: readonly string[], view: RegisterView) => Item>> = {
  ServiceSet: ([, namespace, name], view) => ({
    namespace,
    name,
    exported: view.type === "ServiceSet" && view.value.export !== null,
  }),
  EndpointSet: ([, namespace, service, id], view) => ({
    namespace,
    service,
    id,
    ...(view.type === "EndpointSet" ? { address: view.value.address, ready: view.value.ready } : {}),
  }),
  LinkSet: ([, peer], view) => ({ peer, state: (view.value as LinkValue).state }),
  IdentitySet: ([, namespace, serviceAccount], view) => ({
    namespace,
    serviceAccount,
    spiffeId: view.type === "IdentitySet" ? view.value.spiffeId : "",
  }),
  PolicySet: ([, kind, namespace, name]) => ({ kind, namespace, name }),
};

export interface ItemFilter {
  readonly cluster?: string | undefined;
  readonly namespace?: string | undefined;
  readonly service?: string | undefined;
}

/** Registers of one type of all clusters, in order of cluster and key. */
export function itemsOf(reader: FederationReader, type: RegisterType, filter: ItemFilter): Item[] {
  const items: Item[] = [];
  const clusters = [...reader.members().map(({ cluster }) => cluster as string), "hub"].sort();
  for (const cluster of clusters) {
    if (filter.cluster !== undefined && filter.cluster !== cluster) continue;
    const views = [...reader.ofType(cluster, type)].sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const view of views) {
      const effective = reader.effect(cluster, view as RegisterView, cluster) !== undefined;
      const shape = SHAPES[type]?.(view.key.split("/"), view as RegisterView) ?? {};
      if (filter.namespace !== undefined && shape.namespace !== filter.namespace) continue;
      if (filter.service !== undefined && (shape.service ?? shape.name) !== filter.service) continue;
      items.push({ ...placeOf(cluster, view as RegisterView, effective), ...shape });
    }
  }
  return items;
}

export function clusterItem(member: Member, heads: ReturnType<Federation["heads"]>): Item {
  const { membership } = member;
  return {
    name: member.cluster,
    cluster: member.cluster,
    account: member.account,
    trustDomain: member.trustDomain,
    region: membership.grant.region,
    network: membership.grant.network,
    state: member.state,
    incarnation: membership.incarnation,
    degraded: member.degraded,
    frozen: member.frozen,
    admittedMs: membership.admittedMs,
    heads: heads.filter(({ source }) => source === member.account),
    value: { grant: membership.grant },
  };
}

export const LIMIT_MAX = 1000;

/** One page; `next` continues after it. The cursor is an offset: an agent shows the present only. */
export function page(items: readonly Item[], query: Readonly<Record<string, string>>): Item {
  const limit = Math.min(LIMIT_MAX, Math.max(1, Number.parseInt(query.limit ?? "1000", 10) || LIMIT_MAX));
  const start = Math.max(0, Number.parseInt(query.cursor ?? "0", 10) || 0);
  const shown = items.slice(start, start + limit);
  const next = start + limit < items.length ? String(start + limit) : null;
  return { items: shown, next };
}
