/** Invariants of access policies and secrets. An RBAC filter without rules is off; it must never exist. */
import {
  anyUnpack,
  fromBinary,
  HttpRBACSchema,
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
  TypedExtensionConfigSchema,
} from "../../../gen/index.ts";
import { Collector, type Facts } from "./facts.ts";
import { demandDecides } from "./matcher-facts.ts";

export function extensionConfigFacts(name: string, bytes: Uint8Array): Facts {
  const config = fromBinary(TypedExtensionConfigSchema, bytes);
  const collector = new Collector(`policy ${name}`);
  collector.demand(config.name === name, `is named ${config.name}`);
  const rbac = config.typedConfig === undefined ? undefined : anyUnpack(config.typedConfig, HttpRBACSchema);
  demandDecides(rbac?.matcher, "HTTP RBAC", collector);
  return collector.facts();
}

export function secretFacts(name: string, bytes: Uint8Array): Facts {
  const secret = fromBinary(SecretSchema, bytes);
  const collector = new Collector(`secret ${name}`);
  collector.demand(secret.name === name, `is named ${secret.name}`);
  const { type } = secret;
  if (type.case === "tlsCertificate") {
    const filled = (specifier: { value?: unknown } | undefined): boolean =>
      specifier?.value instanceof Uint8Array && specifier.value.length > 0;
    collector.demand(filled(type.value.certificateChain?.specifier), "no certificate");
    collector.demand(filled(type.value.privateKey?.specifier), "no key");
    return collector.facts();
  }
  const context = type.case === "validationContext" ? type.value : undefined;
  collector.demand(
    context?.matchTypedSubjectAltNames.length === 0,
    "carries ids of its own: they would be added",
  );
  const any = context?.customValidatorConfig?.typedConfig;
  const validator = any === undefined ? undefined : anyUnpack(any, SPIFFECertValidatorConfigSchema);
  collector.demand((validator?.trustDomains.length ?? 0) > 0, "validates nothing");
  for (const { name: domain, trustBundle } of validator?.trustDomains ?? []) {
    const roots = trustBundle?.specifier.case === "inlineString" ? trustBundle.specifier.value : "";
    collector.demand(roots.includes("BEGIN CERTIFICATE"), `trust domain ${domain} has no root`);
    collector.demand(!collector.domains.has(domain), `trust domain ${domain} twice`);
    collector.domains.add(domain);
  }
  return collector.facts();
}
