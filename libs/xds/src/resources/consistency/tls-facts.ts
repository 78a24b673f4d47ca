/** Invariants of TLS contexts: never an empty or missing validation, never an id outside the exact lists. */
import {
  anyUnpack,
  type CertificateValidationContext,
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  SubjectAltNameMatcher_SanType,
  type TransportSocket,
  UpstreamTlsContextSchema,
} from "../../../gen/index.ts";
import type { Collector } from "./facts.ts";

interface Validation {
  readonly secret: string;
  readonly patterns: readonly { readonly kind: string; readonly value: string }[];
}

const SPIFFE = "spiffe://";

const patternsOf = (context: CertificateValidationContext | undefined): Validation["patterns"] =>
  (context?.matchTypedSubjectAltNames ?? []).map(({ sanType, matcher }) => ({
    kind:
      sanType === SubjectAltNameMatcher_SanType.URI ? (matcher?.matchPattern.case ?? "none") : "not-a-uri",
    value: typeof matcher?.matchPattern.value === "string" ? matcher.matchPattern.value : "",
  }));

/** The one shape that is served: own certificate by SDS, roots by SDS, ids in the default context. */
function validationOf(common: CommonTlsContext | undefined, collector: Collector): Validation | undefined {
  const own = common?.tlsCertificateSdsSecretConfigs ?? [];
  collector.demand(own.length === 1, "TLS without exactly one SDS certificate of its own");
  for (const { name } of own) collector.secrets.add(name);
  const type = common?.validationContextType;
  const combined = type?.case === "combinedValidationContext" ? type.value : undefined;
  const secret = combined?.validationContextSdsSecretConfig?.name ?? "";
  collector.demand(secret !== "", "TLS without a validation secret");
  if (secret === "") return undefined;
  collector.secrets.add(secret);
  const patterns = patternsOf(combined?.defaultValidationContext);
  collector.demand(patterns.length > 0, `validation by ${secret} admits every identity: no SAN matcher`);
  return { secret, patterns };
}

const typedConfig = (socket: TransportSocket | undefined) =>
  socket?.configType.case === "typedConfig" ? socket.configType.value : undefined;

export function readUpstreamTls(
  socket: TransportSocket | undefined,
  sni: string,
  collector: Collector,
): void {
  const any = typedConfig(socket);
  const context = any === undefined ? undefined : anyUnpack(any, UpstreamTlsContextSchema);
  collector.demand(context !== undefined, "an upstream without TLS");
  if (context === undefined) return;
  collector.demand(context.sni === sni, `SNI ${context.sni} instead of ${sni}`);
  const validation = validationOf(context.commonTlsContext, collector);
  if (validation === undefined) return;
  const domains = new Set<string>();
  for (const { kind, value } of validation.patterns) {
    const domain = /^spiffe:\/\/([^/]+)\/./.exec(value)?.[1];
    collector.demand(
      kind === "exact" && domain !== undefined,
      `allowed id ${kind} "${value}" is not an exact SPIFFE id`,
    );
    if (domain !== undefined) domains.add(domain);
  }
  collector.trust.push({ secret: validation.secret, domains: [...domains] });
}

export function readDownstreamTls(socket: TransportSocket, collector: Collector): void {
  const any = typedConfig(socket);
  const context = any === undefined ? undefined : anyUnpack(any, DownstreamTlsContextSchema);
  collector.demand(context !== undefined, "a chain whose transport socket is not TLS");
  if (context === undefined) return;
  collector.demand(
    context.requireClientCertificate === true,
    "a chain that does not require a client certificate",
  );
  const validation = validationOf(context.commonTlsContext, collector);
  for (const { kind, value } of validation?.patterns ?? [])
    collector.demand(
      (kind === "exact" || kind === "prefix") && value.startsWith(SPIFFE),
      `caller ${kind} "${value}" is not a SPIFFE id or prefix`,
    );
}
