/**
 * Whether a ServiceExport can be honoured: reasons for its Valid condition (KEP-1645, and Hansa's own where the KEP has
 * none). An export that is not valid yields no fact at all.
 */
import { isLabel, SYSTEM_NAMESPACE } from "@hansa/core";
import {
  EXPORTED_METADATA_CHARS_MAX,
  EXPORTED_METADATA_MAX,
  isLabelValue,
  isPortName,
  isQualifiedName,
  portKeyOf,
  SERVICE_PORTS_MAX,
} from "@hansa/events";
import { nameTooLong } from "@hansa/model";
import type { ExportOptions } from "./export-options.ts";
import type { ExportObject, ServiceObject } from "./objects.ts";

export type Validity =
  | { readonly valid: true }
  | { readonly valid: false; readonly reason: string; readonly message: string };

export interface CheckContext {
  readonly cluster: string;
  readonly federation: string;
}

type Problem = { readonly reason: string; readonly message: string };

/** The first problem in a fixed order, so that the same objects always give the same reason. */
export function exportProblem(
  object: ExportObject,
  service: ServiceObject | undefined,
  options: ExportOptions,
  context: CheckContext,
): Problem | undefined {
  const { namespace, name } = object;
  if (namespace === SYSTEM_NAMESPACE)
    return { reason: "SystemNamespace", message: `services of ${SYSTEM_NAMESPACE} are never exported` };
  if (!isLabel(name) || !isLabel(namespace))
    return { reason: "InvalidName", message: `${namespace}/${name} are not RFC 1123 labels` };
  if (service === undefined)
    return { reason: "NoService", message: `there is no Service ${namespace}/${name}` };
  return (
    typeProblem(service, options) ?? portProblem(service, context) ?? metadataProblem(object) ?? undefined
  );
}

function typeProblem(service: ServiceObject, options: ExportOptions): Problem | undefined {
  if (service.type === "ExternalName")
    return { reason: "InvalidServiceType", message: "a Service of type ExternalName cannot be exported" };
  if (service.headless && options.clusterSelectors !== undefined)
    return { reason: "InvalidServiceType", message: "cluster selectors do not go with a headless Service" };
  return undefined;
}

function portProblem(service: ServiceObject, context: CheckContext): Problem | undefined {
  const { ports, name, namespace } = service;
  const invalid = (message: string): Problem => ({ reason: "InvalidPort", message });
  if (ports.length > SERVICE_PORTS_MAX)
    return invalid(`${ports.length} ports, at most ${SERVICE_PORTS_MAX} can be exported`);
  const seen = new Set<string>();
  for (const port of ports) {
    if (!Number.isInteger(port.port) || port.port < 1 || port.port > 65_535)
      return invalid(`port ${port.port} is not in 1..65535`);
    if (port.name !== "" && !isPortName(port.name))
      return invalid(`port name "${port.name}" must be an RFC 1123 label without "--"`);
    for (const key of [portKeyOf(port), `${port.port}/${port.transport}`]) {
      if (seen.has(key)) return invalid(`port ${key} is given twice`);
      seen.add(key);
    }
    const long = nameTooLong(portKeyOf(port), name, namespace, context.cluster, context.federation);
    if (long !== undefined) return { reason: long.reason, message: `${long.code}: ${long.message}` };
  }
  return undefined;
}

function metadataProblem({ labels, annotations }: ExportObject): Problem | undefined {
  const invalid = (message: string): Problem => ({ reason: "InvalidExportedMetadata", message });
  let chars = 0;
  for (const [what, map] of [
    ["exportedLabels", labels],
    ["exportedAnnotations", annotations],
  ] as const) {
    const entries = Object.entries(map);
    if (entries.length > EXPORTED_METADATA_MAX)
      return invalid(`${what}: ${entries.length} entries, at most ${EXPORTED_METADATA_MAX} are exported`);
    for (const [key, value] of entries) {
      chars += key.length + value.length;
      if (!isQualifiedName(key)) return invalid(`${what}: "${key.slice(0, 80)}" is no qualified name`);
      if (map === labels && !isLabelValue(value))
        return invalid(`${what}: "${value.slice(0, 80)}" is no label value`);
    }
  }
  return chars > EXPORTED_METADATA_CHARS_MAX
    ? invalid(`${chars} characters in all, at most ${EXPORTED_METADATA_CHARS_MAX} are exported`)
    : undefined;
}
