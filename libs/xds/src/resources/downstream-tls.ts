/**
 * Server side of mesh TLS. `validation_context: {}` without matchers would admit everyone, even without a certificate;
 * the `spiffe://` matcher in the default context turns that push into a NACK (envoy-dataplane §1.5).
 */

import type { ServingPort } from "@hansa/model";
import {
  DownstreamTlsContextSchema,
  SubjectAltNameMatcher_SanType,
  type TransportSocketSchema,
} from "../../gen/index.ts";
import { ADS, extension, type Init } from "./message.ts";
import { SVID_SECRET } from "./names.ts";

type Admitted = ServingPort["callers"][number];

/** Any id: a policy behind it decides. */
export const ANY_SPIFFE_ID: readonly Admitted[] = [{ kind: "prefix", value: "spiffe://" }];

/**
 * `callersSecret` names the roots that a caller may chain to; `alpn` is empty for plain TCP. `admitted` is checked in
 * the handshake, before any byte flows either way.
 */
export const downstreamTls = (
  callersSecret: string,
  alpn: readonly string[],
  admitted: readonly Admitted[],
  svidSecret: string = SVID_SECRET,
): Init<typeof TransportSocketSchema> =>
  extension("envoy.transport_sockets.tls", DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    // A resumed session is not verified again.
    sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
    disableStatefulSessionResumption: true,
    commonTlsContext: {
      alpnProtocols: [...alpn],
      tlsCertificateSdsSecretConfigs: [{ name: svidSecret, sdsConfig: ADS }],
      validationContextType: {
        case: "combinedValidationContext",
        value: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: admitted.map(({ kind, value }) => ({
              sanType: SubjectAltNameMatcher_SanType.URI,
              matcher: { matchPattern: { case: kind, value } },
            })),
          },
          validationContextSdsSecretConfig: { name: callersSecret, sdsConfig: ADS },
        },
      },
    },
  });
