/** What the ClusterIP of an exported Service leads to: the pods of this cluster, as without a mesh, over mTLS. Pure. */
import type { ServicePortView, ViewLocality } from "@hansa/model";

/** One port of a Service's own address. */
export interface ClusterIpPort {
  readonly ip: string;
  readonly portKey: string;
  readonly port: number;
}

/** None where the Service has no address, or pods that take no mTLS: it is then called as without a mesh. */
export type ClusterIpsOf = (namespace: string, name: string) => readonly ClusterIpPort[];

/** All pods count alike, and a drain of the cluster is for others to heed: who asks for this address asks for these pods. */
const asOne = (locality: ViewLocality): ViewLocality => ({
  ...locality,
  priority: 0,
  endpoints: locality.endpoints
    .filter(({ placeholder }) => !placeholder)
    .map((endpoint) => (locality.draining ? { ...endpoint, health: "healthy" as const } : endpoint)),
});

/** Of a usable view; undefined where this cluster does not export it. */
export function ownView(
  view: ServicePortView,
  cluster: string,
  { port }: Pick<ClusterIpPort, "port">,
): ServicePortView | undefined {
  const exporters = view.exporters.filter((exporter) => exporter.cluster === cluster);
  if (exporters.length === 0) return undefined;
  const localities = view.localities.filter((locality) => locality.cluster === cluster).map(asOne);
  return { ...view, port: { ...view.port, port }, exporters, localities };
}
