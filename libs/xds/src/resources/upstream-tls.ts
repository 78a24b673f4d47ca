/**
 * How a client proves who it talks to: one exporter = one trust domain's bundle and that exporter's exact ids
 * (envoy-dataplane §1.2, §1.4). Ids live here only; a secret with matchers would widen the list, not replace it.
 */
import { assert } from "@hansa/core";
import type { ViewExporter } from "@hansa/model";
import {
  SubjectAltNameMatcher_SanType,
  type TransportSocketSchema,
  UpstreamTlsContextSchema,
} from "../../gen/index.ts";
import { ADS, byText, extension, type Init } from "./message.ts";
import { bundleSecretName, SVID_SECRET } from "./names.ts";

/** `alpn` is empty for plain TCP: the service behind it negotiates nothing. */
export function upstreamTls(
  sni: string,
  exporter: ViewExporter,
  alpn: readonly string[],
): Init<typeof TransportSocketSchema> {
  assert(exporter.allowedIds.length > 0, `${sni}: exporter ${exporter.cluster} has no allowed ids`);
  const prefix = `spiffe://${exporter.trustDomain}/`;
  for (const id of exporter.allowedIds)
    assert(
      id.startsWith(prefix) && id.length > prefix.length,
      `${sni}: ${id} is not of ${exporter.trustDomain}`,
    );
  return extension("envoy.transport_sockets.tls", UpstreamTlsContextSchema, {
    sni,
    // A resumed session is not verified again.
    maxSessionKeys: 0,
    commonTlsContext: {
      alpnProtocols: [...alpn],
      tlsCertificateSdsSecretConfigs: [{ name: SVID_SECRET, sdsConfig: ADS }],
      validationContextType: {
        case: "combinedValidationContext",
        value: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [...new Set(exporter.allowedIds)].sort(byText).map((id) => ({
              sanType: SubjectAltNameMatcher_SanType.URI,
              matcher: { matchPattern: { case: "exact" as const, value: id } },
            })),
          },
          validationContextSdsSecretConfig: {
            name: bundleSecretName(exporter.trustDomain),
            sdsConfig: ADS,
          },
        },
      },
    },
  });
}
