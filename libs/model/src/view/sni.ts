/**
 * Server names of the mesh (federation §1.2): what a client sidecar asks for and a gateway routes by. Reversible: a
 * name decodes to exactly what it was made of. Lengths are checked where something is exported, never at push time.
 */
import { isLabel, parseClusterName } from "@hansa/core";
import { isPortKey } from "@hansa/events";

export const LABEL_LENGTH_MAX = 63;
export const NAME_LENGTH_MAX = 253;

export type ServerName =
  | {
      readonly kind: "service";
      readonly portKey: string;
      readonly service: string;
      readonly namespace: string;
    }
  | {
      readonly kind: "pinned";
      readonly portKey: string;
      readonly service: string;
      readonly namespace: string;
      readonly cluster: string;
    }
  | { readonly kind: "probe"; readonly cluster: string };

export interface NameTooLong {
  readonly code: "HSA4004";
  readonly reason: "NameTooLong";
  readonly message: string;
}

export const serviceSni = (portKey: string, service: string, namespace: string, federation: string): string =>
  `${portKey}.${service}.${namespace}.svc.${federation}`;

export const pinnedSni = (
  portKey: string,
  service: string,
  namespace: string,
  cluster: string,
  federation: string,
): string => `${portKey}.${service}.${namespace}.${cluster}.pin.${federation}`;

/** The gateway's own chain for members' agents: mTLS with the gateway's SVID, nothing behind it. */
export const probeSni = (cluster: string, federation: string): string => `probe.${cluster}.gw.${federation}`;

/** Authority by which HTTP and gRPC callers name a service. */
export const serviceHost = (service: string, namespace: string): string =>
  `${service}.${namespace}.svc.clusterset.local`;

/** What `serviceSni`, `pinnedSni` or `probeSni` made; undefined for anything else. Case is ignored (RFC 4343). */
export function parseSni(text: string, federation: string): ServerName | undefined {
  const name = text.toLowerCase();
  if (name.length > NAME_LENGTH_MAX || !name.endsWith(`.${federation}`)) return undefined;
  const labels = name.slice(0, -federation.length - 1).split(".");
  if (!labels.slice(1).every(isLabel)) return undefined;
  const [first = "", second = "", third = "", fourth = "", fifth = ""] = labels;
  if (labels.length === 3 && first === "probe" && third === "gw")
    return parseClusterName(second) === undefined ? undefined : { kind: "probe", cluster: second };
  if (!isPortKey(first)) return undefined;
  if (labels.length === 4 && fourth === "svc")
    return { kind: "service", portKey: first, service: second, namespace: third };
  if (labels.length === 5 && fifth === "pin" && parseClusterName(fourth) !== undefined)
    return { kind: "pinned", portKey: first, service: second, namespace: third, cluster: fourth };
  return undefined;
}

/** Undefined where both the shared and the pinned name of a port fit; checked at export (ServiceExport Valid=False). */
export function nameTooLong(
  portKey: string,
  service: string,
  namespace: string,
  cluster: string,
  federation: string,
): NameTooLong | undefined {
  const label = [portKey, service, namespace].find((part) => part.length > LABEL_LENGTH_MAX);
  if (label !== undefined)
    return tooLong(
      `label "${label}" has ${label.length} characters, at most ${LABEL_LENGTH_MAX} are allowed`,
    );
  const shared = serviceSni(portKey, service, namespace, federation);
  const pinned = pinnedSni(portKey, service, namespace, cluster, federation);
  const name = [shared, pinned].find((candidate) => candidate.length > NAME_LENGTH_MAX);
  if (name === undefined) return undefined;
  return tooLong(`"${name}" has ${name.length} characters, at most ${NAME_LENGTH_MAX} are allowed`);
}

const tooLong = (what: string): NameTooLong => ({
  code: "HSA4004",
  reason: "NameTooLong",
  message: `export: ${what}; shorten service, namespace or port name`,
});
