/**
 * What of a view can be served: exporters with ids and a known bundle, and their localities only. Anything else would
 * wait for a secret that never comes, or meet another exporter's ids.
 */
import type { ServicePortView } from "@hansa/model";
import type { TrustBundles } from "./types.ts";

/** Longest name in a TLS server name (RFC 1035); the exporter refuses longer ones, a hostile one may not. */
const SNI_MAX = 253;

/** Undefined where no exporter is left: the service port then has no cluster and is answered with a reason. */
export function usableView(view: ServicePortView, bundles: TrustBundles): ServicePortView | undefined {
  const exporters = view.exporters.filter(
    (exporter) => exporter.allowedIds.length > 0 && (bundles.get(exporter.trustDomain)?.length ?? 0) > 0,
  );
  if (exporters.length === 0 || view.sni.length > SNI_MAX) return undefined;
  const names = new Set<string>(exporters.map((exporter) => exporter.cluster));
  const localities = view.localities.filter((locality) => names.has(locality.cluster));
  return { ...view, exporters, localities };
}
