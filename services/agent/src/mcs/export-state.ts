/** How far an export of this cluster has come: what is wanted beside what the fold says of it. Pure. */
import { type ClusterName, sameJson } from "@hansa/core";
import { serviceKey } from "@hansa/events";
import type { AgentCore } from "../core.ts";
import type { ExportState } from "./conditions.ts";

/** `key`: namespace and name of the ServiceExport. */
export function exportState(
  { own, reader, fed }: Pick<AgentCore, "own" | "reader" | "fed">,
  cluster: ClusterName,
  key: string,
): ExportState {
  const [namespace = "", name = ""] = key.split("/");
  const register = serviceKey(namespace, name);
  const wanted = own.registers.get(register)?.data;
  if (wanted === undefined) return { at: "pending" };
  const effect = reader.effective(cluster, register, cluster);
  if (effect?.type !== "ServiceSet" || effect.value.export === null)
    return {
      at: "refused",
      message: `HSA3006: ${namespace}/${name} is outside what ${cluster} was granted to export, or beyond a quota; see hansa check`,
    };
  return sameJson(fed.get(cluster, register)?.value, wanted) ? { at: "exported" } : { at: "pending" };
}
