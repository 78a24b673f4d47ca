/**
 * Register keys: builders and the one parser. A key is the path of one register inside its source.
 * Builders do not check: whoever builds a key from outside input lets `parseKey` judge the result.
 */
import { isLabel } from "@hansa/core";
import { KEY_LENGTH_MAX } from "./limits.ts";
import type { Lane, RegisterType } from "./registers.ts";

export type PolicyKind = "allow" | "failover";

export type RegisterKey =
  | { readonly type: "ServiceSet"; readonly namespace: string; readonly name: string }
  | {
      readonly type: "LoadSet";
      readonly namespace: string;
      readonly name: string;
      /** Port name, or `p--<number>`. */
      readonly port: string;
      readonly region: string;
      readonly zone: string;
    }
  | { readonly type: "GatewaySet"; readonly name: string }
  | { readonly type: "IdentitySet"; readonly namespace: string; readonly serviceAccount: string }
  | { readonly type: "BundleSet" }
  | { readonly type: "LinkSet"; readonly peer: string }
  | {
      readonly type: "PolicySet";
      readonly kind: PolicyKind;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly type: "CommandSet"; readonly id: string }
  | { readonly type: "WantSet"; readonly source: string }
  | { readonly type: "EndpointSet"; readonly namespace: string; readonly name: string; readonly id: string }
  | { readonly type: "MembershipSet"; readonly cluster: string }
  | { readonly type: "HubkeySet" }
  | { readonly type: "OperatorsSet" }
  | { readonly type: "ForeignSet"; readonly domain: string };

// === builders ===

export const serviceKey = (namespace: string, name: string): string => `service/${namespace}/${name}`;
export const loadKey = (
  namespace: string,
  name: string,
  port: string,
  region: string,
  zone: string,
): string => `load/${namespace}/${name}/${port}/${region}/${zone}`;
export const gatewayKey = (name: string): string => `gateway/${name}`;
export const identityKey = (namespace: string, serviceAccount: string): string =>
  `identity/${namespace}/${serviceAccount}`;
export const bundleKey = (): string => "bundle";
export const linkKey = (peer: string): string => `link/${peer}`;
export const policyKey = (kind: PolicyKind, namespace: string, name: string): string =>
  `policy/${kind}/${namespace}/${name}`;
export const commandKey = (id: string): string => `command/${id}`;
export const wantKey = (source: string): string => `want/${source}`;
export const endpointKey = (namespace: string, name: string, id: string): string =>
  `endpoint/${namespace}/${name}/${id}`;
export const membershipKey = (cluster: string): string => `membership/${cluster}`;
export const hubkeyKey = (): string => "hubkey";
export const operatorsKey = (): string => "operators";
export const foreignKey = (domain: string): string => `foreign/${domain}`;

/** Port name, or `p--<number>` where it has none (federation §1.2: port names cannot contain `--`). */
export const portKeyOf = (port: { readonly name: string; readonly port: number }): string =>
  port.name === "" ? `p--${port.port}` : port.name;

// === parser ===

const SEGMENT = /^[A-Za-z0-9._:-]{1,253}$/;
const NUMBERED_PORT = /^p--[1-9][0-9]{0,4}$/;

const isSegment = (text: string): boolean => SEGMENT.test(text) && text !== "." && text !== "..";

export const isPortName = (text: string): boolean => isLabel(text) && !text.includes("--");
export const isPortKey = (text: string): boolean => isPortName(text) || NUMBERED_PORT.test(text);

/** undefined for every text that is not exactly the key of a known register. */
export function parseKey(key: string): RegisterKey | undefined {
  if (key.length > KEY_LENGTH_MAX) return undefined;
  const parts = key.split("/");
  const [kind = "", a = "", b = "", c = "", d = "", e = ""] = parts;
  switch (`${kind}:${parts.length}`) {
    case "service:3":
      return isLabel(a) && isLabel(b) ? { type: "ServiceSet", namespace: a, name: b } : undefined;
    case "load:6":
      return isLabel(a) && isLabel(b) && isPortKey(c) && isSegment(d) && isSegment(e)
        ? { type: "LoadSet", namespace: a, name: b, port: c, region: d, zone: e }
        : undefined;
    case "gateway:2":
      return isLabel(a) ? { type: "GatewaySet", name: a } : undefined;
    case "identity:3":
      return isLabel(a) && isSegment(b)
        ? { type: "IdentitySet", namespace: a, serviceAccount: b }
        : undefined;
    case "bundle:1":
      return { type: "BundleSet" };
    case "link:2":
      return isLabel(a) ? { type: "LinkSet", peer: a } : undefined;
    case "policy:4":
      return policyParts(a, b, c);
    case "command:2":
      return isSegment(a) ? { type: "CommandSet", id: a } : undefined;
    case "want:2":
      return isLabel(a) ? { type: "WantSet", source: a } : undefined;
    case "endpoint:4":
      return isLabel(a) && isLabel(b) && isSegment(c)
        ? { type: "EndpointSet", namespace: a, name: b, id: c }
        : undefined;
    case "membership:2":
      return isLabel(a) ? { type: "MembershipSet", cluster: a } : undefined;
    case "hubkey:1":
      return { type: "HubkeySet" };
    case "operators:1":
      return { type: "OperatorsSet" };
    case "foreign:2":
      return isSegment(a) ? { type: "ForeignSet", domain: a } : undefined;
    default:
      return undefined;
  }
}

/** A failover policy for every service has `-` in both places; an allow always names its own namespace. */
function policyParts(kind: string, namespace: string, name: string): RegisterKey | undefined {
  if (kind === "allow" && isLabel(namespace) && isSegment(name))
    return { type: "PolicySet", kind, namespace, name };
  const everywhere = namespace === "-" && name === "-";
  if (kind === "failover" && (everywhere || (isLabel(namespace) && isLabel(name))))
    return { type: "PolicySet", kind, namespace, name };
  return undefined;
}

/** The lane that carries registers of this type. */
export const laneOf = (type: RegisterType): Lane => (type === "EndpointSet" ? "ep" : "sum");
