/** What a cluster serves: its own services' ports with their names, local endpoints and admitted callers. */
import { SYSTEM_NAMESPACE } from "@hansa/core";
import { type EndpointValue, portKeyOf, type ServiceValue } from "@hansa/events";
import { type Allows, allowsBy, callersOf } from "../policy/callers.ts";
import { isMeshed } from "./merge.ts";
import { type FederationReader, federationOf, read, readAll, readOfService, type Sight } from "./reader.ts";
import { type NameTooLong, nameTooLong, serviceSni } from "./sni.ts";
import type { ServingPort, ViewEndpoint } from "./types.ts";

/** In order of keys and ports. Exported false: the gateway has no chain for it, the sidecars serve it locally. */
export function servingPorts(fed: FederationReader, cluster: string): ServingPort[] {
  const sight: Sight = { fed, observer: cluster };
  const allows = allowsBy(sight, cluster);
  return servedServices(sight, cluster).flatMap((served) => portsOf(sight, cluster, served, allows));
}

/** The same for one service. */
export function servingPortsOf(
  fed: FederationReader,
  cluster: string,
  namespace: string,
  name: string,
): ServingPort[] {
  const sight: Sight = { fed, observer: cluster };
  const register = read(sight, cluster, "service", `${namespace}/${name}`);
  if (register === undefined || namespace === SYSTEM_NAMESPACE) return [];
  return portsOf(sight, cluster, { namespace, name, value: register.value }, allowsBy(sight, cluster));
}

interface ServedService {
  readonly namespace: string;
  readonly name: string;
  readonly value: ServiceValue;
}

function portsOf(sight: Sight, cluster: string, served: ServedService, allows: Allows): ServingPort[] {
  const { namespace, name, value } = served;
  const callers = value.export === null ? [] : callersOf(allows, namespace, name);
  return value.ports.filter(isMeshed).map((port): ServingPort => {
    const portKey = portKeyOf(port);
    const fits = nameTooLong(portKey, name, namespace, cluster, federationOf(sight)) === undefined;
    return {
      namespace,
      service: name,
      port,
      portKey,
      sni: serviceSni(portKey, name, namespace, federationOf(sight)),
      exported: value.export !== null && value.serviceAccounts.length > 0 && fits,
      endpoints: localEndpoints(sight, cluster, served, (value) => value.ports[portKey]),
      plain: localEndpoints(sight, cluster, served, ({ ports, appPorts }) =>
        ports[portKey] === undefined ? appPorts?.[portKey] : undefined,
      ),
      callers,
    };
  });
}

export interface ExportProblem extends NameTooLong {
  readonly namespace: string;
  readonly service: string;
  readonly portKey: string;
}

/** Ports of `cluster` that are meant to be exported and cannot be named (ServiceExport Valid=False). */
export function exportProblems(fed: FederationReader, cluster: string): ExportProblem[] {
  const sight: Sight = { fed, observer: cluster };
  return servedServices(sight, cluster).flatMap(({ namespace, name, value }) =>
    (value.export === null ? [] : value.ports).flatMap((port) => {
      const portKey = portKeyOf(port);
      const problem = nameTooLong(portKey, name, namespace, cluster, federationOf(sight));
      return problem === undefined ? [] : [{ ...problem, namespace, service: name, portKey }];
    }),
  );
}

function servedServices(sight: Sight, cluster: string): ServedService[] {
  return readAll(sight, cluster, "service").flatMap(({ key, value }) => {
    const [, namespace = "", name = ""] = key.split("/");
    return namespace === SYSTEM_NAMESPACE ? [] : [{ namespace, name, value }];
  });
}

function localEndpoints(
  sight: Sight,
  cluster: string,
  { namespace, name }: ServedService,
  portOf: (value: EndpointValue) => number | undefined,
): ViewEndpoint[] {
  const byAddress = new Map<string, ViewEndpoint>();
  for (const { key, value } of readOfService(sight, cluster, "endpoint", namespace, name)) {
    const port = portOf(value);
    if (port === undefined) continue;
    const endpoint: ViewEndpoint = {
      address: value.address,
      port,
      weight: Math.max(1, Math.round(value.weight)),
      health: value.ready ? "healthy" : "unhealthy",
      placeholder: false,
      id: key.split("/").slice(3).join("/"),
    };
    const twin = byAddress.get(`${value.address}:${port}`);
    if (twin === undefined || (twin.health !== "healthy" && value.ready))
      byAddress.set(`${value.address}:${port}`, endpoint);
  }
  return [...byAddress.values()];
}
