/**
 * What a proxy is offered against what its Envoy says it has (`/config_dump?include_eds`). Pure. Versions derive from
 * content, so equal versions are equal contents; Envoy tells no version of endpoints, so those are compared themselves.
 */
import { proto, ROOTS_SECRET, shortType, TYPE_URL } from "@hansa/xds";
import { fieldsOf, itemsOf } from "./envoy-admin.ts";

export interface Offered {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly message: Uint8Array;
}

export interface Difference {
  readonly type: string;
  readonly name: string;
  /** `missing` and `extra` as seen from Envoy; `refused`: it keeps an older one on purpose. */
  readonly state: "missing" | "extra" | "other" | "refused";
  /** What the agent offers and what Envoy has: versions, or for endpoints the ones that differ. */
  readonly agent: string | null;
  readonly envoy: string | null;
  readonly reason: string | null;
}

export interface Compared {
  /** Resources that both were asked about. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

interface Held {
  readonly version: string;
  readonly refused: string | null;
}

/** Envoy asks for these only where something refers to them: what it lacks is not missing. */
const ON_DEMAND: readonly string[] = [TYPE_URL.route, TYPE_URL.secret, TYPE_URL.extensionConfig];

export function differencesOf(offered: readonly Offered[], dump: unknown): Compared {
  const held = heldBy(dump);
  const differences: Difference[] = [];
  const seen = new Set<string>();
  let compared = 0;
  for (const { typeUrl, name, version, message } of offered) {
    const key = `${typeUrl} ${name}`;
    const row = { type: shortType(typeUrl), name };
    seen.add(key);
    if (typeUrl === TYPE_URL.endpoint) {
      const mine = held.endpoints.get(name);
      if (mine === undefined) continue;
      compared += 1;
      const [agent, envoy] = apart(offeredEndpoints(message), mine);
      if (agent !== "" || envoy !== "")
        differences.push({ ...row, state: "other", agent, envoy, reason: null });
      continue;
    }
    const has = held.versions.get(key);
    if (has === undefined && ON_DEMAND.includes(typeUrl)) continue;
    compared += 1;
    const reason = has?.refused ?? null;
    if (has === undefined)
      differences.push({ ...row, state: "missing", agent: version, envoy: null, reason });
    else if (has.version !== version)
      differences.push({
        ...row,
        state: reason === null ? "other" : "refused",
        agent: version,
        envoy: has.version === "" ? null : has.version,
        reason,
      });
  }
  for (const [key, { version }] of held.versions)
    if (!seen.has(key)) {
      const [typeUrl = "", name = ""] = key.split(" ", 2);
      differences.push({
        type: shortType(typeUrl),
        name,
        state: "extra",
        agent: null,
        envoy: version,
        reason: null,
      });
    }
  return { compared, differences };
}

interface EnvoyState {
  /** `<type URL> <name>` → what Envoy has. */
  readonly versions: ReadonlyMap<string, Held>;
  readonly endpoints: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Lists of the dump, and below which field of an item the resource lies. */
const LISTS: readonly (readonly [typeUrl: string, list: string, resource: string])[] = [
  [TYPE_URL.cluster, "dynamic_active_clusters", "cluster"],
  [TYPE_URL.cluster, "dynamic_warming_clusters", "cluster"],
  [TYPE_URL.route, "dynamic_route_configs", "route_config"],
  [TYPE_URL.secret, "dynamic_active_secrets", "secret"],
  [TYPE_URL.extensionConfig, "ecds_filters", "ecds_filter"],
];

/** An Envoy of a pod has it from a file. */
const OWN: readonly string[] = [ROOTS_SECRET];

function heldBy(dump: unknown): EnvoyState {
  const versions = new Map<string, Held>();
  const endpoints = new Map<string, ReadonlySet<string>>();
  for (const config of itemsOf(dump, "configs")) {
    for (const [typeUrl, list, resource] of LISTS)
      for (const item of itemsOf(config, list)) {
        const name = String(fieldsOf(item, resource).name ?? fieldsOf(item).name);
        if (OWN.includes(name)) continue;
        versions.set(`${typeUrl} ${name}`, { version: versionOf(item), refused: refusalOf(item) });
      }
    for (const item of itemsOf(config, "dynamic_listeners")) {
      const { name, active_state: active, warming_state: warming } = fieldsOf(item);
      if (active === undefined && warming === undefined && refusalOf(item) === null) continue;
      const version = versionOf(active ?? warming);
      versions.set(`${TYPE_URL.listener} ${name}`, { version, refused: refusalOf(item) });
    }
    for (const item of itemsOf(config, "dynamic_endpoint_configs")) {
      const assignment = fieldsOf(item, "endpoint_config");
      endpoints.set(String(assignment.cluster_name), heldEndpoints(assignment));
    }
  }
  return { versions, endpoints };
}

const versionOf = (item: unknown): string => String(fieldsOf(item).version_info ?? "");

function refusalOf(item: unknown): string | null {
  const { details } = fieldsOf(item, "error_state");
  return details === undefined ? null : String(details);
}

const endpointText = (
  address: unknown,
  port: unknown,
  priority: unknown,
  weight: unknown,
  health: unknown,
): string => `${address}:${port} priority ${priority ?? 0} weight ${weight ?? 1} ${health}`;

function heldEndpoints(assignment: unknown): Set<string> {
  return new Set(
    itemsOf(assignment, "endpoints").flatMap((locality) =>
      itemsOf(locality, "lb_endpoints").map((each) => {
        const { address, port_value: port } = fieldsOf(
          fieldsOf(fieldsOf(each, "endpoint"), "address"),
          "socket_address",
        );
        const { load_balancing_weight: weight, health_status: health = "UNKNOWN" } = fieldsOf(each);
        return endpointText(address, port, fieldsOf(locality).priority, weight, health);
      }),
    ),
  );
}

function offeredEndpoints(message: Uint8Array): Set<string> {
  const { endpoints } = proto.fromBinary(proto.ClusterLoadAssignmentSchema, message);
  return new Set(
    endpoints.flatMap(({ priority, lbEndpoints }) =>
      lbEndpoints.map(({ hostIdentifier, loadBalancingWeight, healthStatus }) => {
        const where = hostIdentifier.case === "endpoint" ? hostIdentifier.value.address?.address : undefined;
        const socket = where?.case === "socketAddress" ? where.value : undefined;
        const health = proto.HealthStatus[healthStatus];
        return endpointText(
          socket?.address,
          socket?.portSpecifier.value,
          priority,
          loadBalancingWeight,
          health,
        );
      }),
    ),
  );
}

/** What only one side has, as text. */
function apart(offered: ReadonlySet<string>, held: ReadonlySet<string>): [agent: string, envoy: string] {
  const only = (of: ReadonlySet<string>, than: ReadonlySet<string>): string =>
    [...of].filter((each) => !than.has(each)).join(", ");
  return [only(offered, held), only(held, offered)];
}
