/**
 * One exported Service as facts. Pure: a function of the Service, its ServiceExport, its EndpointSlices and their pods.
 * Without an export there are none (KEP-1645: nothing is exported by default), and with an invalid one neither.
 */
import {
  endpointKey,
  loadKey,
  prepareEvent,
  type RegisterEvent,
  SERVICE_ACCOUNTS_MAX,
  type ServicePort,
  type ServiceValue,
  serviceKey,
} from "@hansa/events";
import { type Fact, factOf } from "../facts.ts";
import { protocolOf } from "../protocol.ts";
import { type EndpointPlace, endpointsOf, type ServiceEndpoints } from "./endpoints.ts";
import { type CheckContext, exportProblem, type Validity } from "./export-check.ts";
import { type ExportOptions, readExportOptions } from "./export-options.ts";
import type { ExportObject, PodObject, ServiceObject, ServicePortObject, SliceObject } from "./objects.ts";

export interface KubePlace extends CheckContext, EndpointPlace {
  /** Whom an export is for that does not say so. */
  readonly exportTo: "all" | "none";
}

export interface ServiceParts {
  readonly object: ExportObject;
  readonly service: ServiceObject | undefined;
  readonly slices: readonly SliceObject[];
  readonly podOf: (namespace: string, name: string) => PodObject | undefined;
}

export interface ServiceFacts {
  readonly facts: readonly Fact[];
  readonly validity: Validity;
  /** Accounts whose identities it needs. */
  readonly serviceAccounts: readonly string[];
  readonly unmeshedCount: number;
}

const refused = (reason: string, message: string): ServiceFacts => ({
  facts: [],
  validity: { valid: false, reason, message },
  serviceAccounts: [],
  unmeshedCount: 0,
});

export function serviceFacts(parts: ServiceParts, place: KubePlace): ServiceFacts {
  const { object, service, slices, podOf } = parts;
  const read = readExportOptions(object, place.exportTo);
  if (read.kind === "problem") return refused(read.reason, read.message);
  const problem = exportProblem(object, service, read.options, place);
  if (problem !== undefined || service === undefined)
    return refused(problem?.reason ?? "NoService", problem?.message ?? "");
  const ports = service.ports.map(meshPort);
  const found = endpointsOf(ports, slices, podOf, place);
  if (found.serviceAccounts.length > SERVICE_ACCOUNTS_MAX)
    return refused(
      "TooManyServiceAccounts",
      `its pods run as ${found.serviceAccounts.length} service accounts, at most ${SERVICE_ACCOUNTS_MAX} can be named`,
    );
  const value = serviceValue(service, ports, found, exportOf(object, read.options));
  const { namespace, name } = service;
  const facts: Fact[] = [
    factOf("ServiceSet", serviceKey(namespace, name), value),
    ...endpointFacts(service, found, place),
  ];
  // Endpoints and sums are bounded by what they are made of.
  const misfit = misfitOf(facts[0]!);
  if (misfit !== undefined) return refused("DoesNotFit", misfit);
  return {
    facts,
    validity: { valid: true },
    serviceAccounts: found.serviceAccounts,
    unmeshedCount: found.unmeshedCount,
  };
}

function meshPort(port: ServicePortObject): ServicePort {
  const { name, transport, appProtocol } = port;
  return {
    name,
    port: port.port,
    protocol: transport === "TCP" ? protocolOf(appProtocol, name) : "tcp",
    ...(transport === "TCP" ? {} : { transport }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

type Exported = NonNullable<ServiceValue["export"]>;

const exportOf = ({ createdMs, labels, annotations }: ExportObject, options: ExportOptions): Exported => ({
  sinceMs: createdMs,
  ...options,
  ...(Object.keys(labels).length === 0 ? {} : { labels }),
  ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
});

function serviceValue(
  service: ServiceObject,
  ports: readonly ServicePort[],
  { serviceAccounts }: ServiceEndpoints,
  exported: Exported,
): ServiceValue {
  const { internalTrafficPolicy: policy, trafficDistribution, ipFamilies } = service;
  return {
    type: service.headless ? "Headless" : "ClusterSetIP",
    ports,
    serviceAccounts,
    createdMs: service.createdMs,
    export: exported,
    ...(service.sessionAffinity === undefined ? {} : { sessionAffinity: service.sessionAffinity }),
    ...(service.clientIpTimeoutSeconds === undefined
      ? {}
      : { clientIpTimeoutSeconds: service.clientIpTimeoutSeconds }),
    ...(policy === "Cluster" || policy === "Local" ? { internalTrafficPolicy: policy } : {}),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
    ...(ipFamilies.length === 0 ? {} : { ipFamilies }),
  };
}

function endpointFacts(
  { namespace, name }: ServiceObject,
  { endpoints, loads }: ServiceEndpoints,
  { region }: KubePlace,
): Fact[] {
  const facts: Fact[] = [];
  for (const [address, value] of endpoints)
    facts.push(factOf("EndpointSet", endpointKey(namespace, name, address), value));
  for (const [key, value] of loads) {
    const [portKey = "", zone = ""] = key.split("/");
    facts.push(factOf("LoadSet", loadKey(namespace, name, portKey, region, zone), value));
  }
  return facts;
}

/** Why the log would not take it; undefined where it would. */
function misfitOf({ type, key, value }: Fact): string | undefined {
  const prepared = prepareEvent({ type, v: 1, key, at: 0, data: value } as RegisterEvent);
  return typeof prepared === "string" ? prepared : undefined;
}
