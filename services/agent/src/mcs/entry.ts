/**
 * What makes an import's cluster-set IP lead to the local gateway (gateway mode): a Service of a load balancer class of
 * Hansa's own, whose only address is the cluster-set IP, and one EndpointSlice with the gateway's port for each of the
 * import's. Whatever routes Services in the cluster routes it. Both belong to the ServiceImport and go with it. Pure.
 */
import { ENDPOINT_SLICES, type McsVersion, SERVICES, type Write } from "@hansa/kube";
import type { ImportedPort } from "@hansa/model";
import type { ServedImport } from "./imports.ts";
import { FIELD_MANAGER, MANAGED_BY, MANAGER, MCS_GROUP, SLICE_MANAGED_BY, STATUS_MANAGER } from "./names.ts";

export const ENTRY_CLASS = "hansa.dev/cluster-set";
/** Name of the import, on the Service that leads its address to the gateway. */
export const ENTRY_LABEL = "hansa.dev/entry-of";
const ENTRY_SLICE_MANAGER = "entry.hansa.dev";

export interface EntryPlace {
  /** Where gateways listen for pods without a proxy; none: not known now, and what was written stays. */
  readonly addresses: () => readonly string[];
  /** Its port for one port of an import; undefined where it has none left. */
  readonly portOf: (service: ServedImport, port: ImportedPort) => number | undefined;
}

export interface EntryOptions extends EntryPlace {
  readonly version: McsVersion;
  readonly hash: (text: string) => string;
}

/** In the order in which they have to be made; none for what has no address and for what has no port by TCP. */
export function entryWrites(service: ServedImport, importUid: string, options: EntryOptions): Write[] {
  const { portOf, version, hash } = options;
  const [first, ...others] = options.addresses();
  const ports = service.ports.flatMap((port, index) => {
    const target = port.transport === "TCP" ? portOf(service, port) : undefined;
    const name = port.name === "" ? `p${index}` : port.name;
    return target === undefined ? [] : [{ name, port: port.port, target }];
  });
  if (service.ips.length === 0 || ports.length === 0 || first === undefined) return [];
  const family = familyOf(first);
  const addresses = [first, ...others.filter((address) => familyOf(address) === family)];
  const { namespace } = service;
  const name = `hansa-${hash(`${namespace}/${service.name}`)}`;
  const labels = { [MANAGED_BY]: MANAGER, [ENTRY_LABEL]: service.name };
  const owned = {
    fieldManager: FIELD_MANAGER,
    force: true,
    ownerReferences: [
      { apiVersion: `${MCS_GROUP}/${version}`, kind: "ServiceImport", name: service.name, uid: importUid },
    ],
  };
  const target = { resource: SERVICES, namespace, name };
  return [
    {
      ...owned,
      kind: "apply",
      target,
      objectKind: "Service",
      labels,
      fields: {
        spec: {
          type: "LoadBalancer",
          loadBalancerClass: ENTRY_CLASS,
          allocateLoadBalancerNodePorts: false,
          ipFamilyPolicy: "SingleStack",
          ipFamilies: [family],
          ports: ports.map(({ name: portName, port }) => ({ name: portName, port, protocol: "TCP" })),
          sessionAffinity: service.sessionAffinity,
        },
      },
    },
    {
      ...owned,
      kind: "apply",
      target: { resource: ENDPOINT_SLICES, namespace, name },
      objectKind: "EndpointSlice",
      labels: {
        ...labels,
        "kubernetes.io/service-name": name,
        [SLICE_MANAGED_BY]: ENTRY_SLICE_MANAGER,
      },
      fields: {
        addressType: family,
        ports: ports.map(({ name: portName, target: port }) => ({ name: portName, port, protocol: "TCP" })),
        endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      },
    },
    {
      kind: "apply",
      target: { ...target, subresource: "status" },
      objectKind: "Service",
      fieldManager: STATUS_MANAGER,
      force: true,
      fields: { status: { loadBalancer: { ingress: service.ips.map((ip) => ({ ip, ipMode: "VIP" })) } } },
    },
  ];
}

const familyOf = (address: string): "IPv4" | "IPv6" => (address.includes(":") ? "IPv6" : "IPv4");
