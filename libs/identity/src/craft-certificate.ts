/** For tests only: certificates that break the rules which the authority never breaks. Not exported by the package. */
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import type { Authority } from "./authority.ts";
import { nameOf } from "./certificate.ts";
import {
  bitString,
  boolean,
  type Der,
  encode,
  explicit,
  implicit,
  integer,
  OID,
  octets,
  oid,
  sequence,
  time,
  verbatim,
} from "./der.ts";
import { parseCertificate } from "./parse-certificate.ts";

export interface Crafted {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ca?: boolean;
  /** keyUsage octet and its unused bits; null leaves the extension out. */
  readonly keyUsage?: readonly [octet: number, unused: number] | null;
  readonly keyUsageCritical?: boolean;
  readonly purposes?: readonly string[] | null;
  readonly emptySubject?: boolean;
  readonly sanCritical?: boolean;
  readonly sanTwice?: boolean;
  readonly version?: number;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
}

export const GOOD_URI = "spiffe://eu.lab.hansa/ns/shop/sa/pay";

const extension = (id: string, critical: boolean, value: Der): Der =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(encode(value)));

function extensionsOf(shape: Crafted): Der {
  const usage = shape.keyUsage === undefined ? ([0x80, 7] as const) : shape.keyUsage;
  const purposes = shape.purposes === undefined ? [OID.serverAuth, OID.clientAuth] : shape.purposes;
  const names = [
    ...(shape.uris ?? [GOOD_URI]).map((uri) => implicit(6, Buffer.from(uri, "latin1"))),
    ...(shape.dns ?? []).map((name) => implicit(2, Buffer.from(name, "latin1"))),
  ];
  const san = extension(OID.subjectAltName, shape.sanCritical ?? false, sequence(...names));
  return sequence(
    ...(usage === null
      ? []
      : [
          extension(
            OID.keyUsage,
            shape.keyUsageCritical ?? true,
            bitString(Uint8Array.of(usage[0]), usage[1]),
          ),
        ]),
    ...(purposes === null ? [] : [extension(OID.extendedKeyUsage, false, sequence(...purposes.map(oid)))]),
    extension(OID.basicConstraints, true, shape.ca === true ? sequence(boolean(true)) : sequence()),
    ...(names.length === 0 ? [] : [san]),
    ...(shape.sanTwice === true ? [san] : []),
  );
}

/** A leaf of `authority` with the given faults and a fresh key. */
export function craftCertificate(
  authority: Authority,
  shape: Crafted,
  nowMs: number,
): { readonly der: Uint8Array; readonly keyPem: string } {
  const root = parseCertificate(authority.rootDer);
  if (root.kind === "malformed") throw new Error(root.message);
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const version = shape.version ?? 2;
  const body = sequence(
    ...(version === 0 ? [] : [explicit(0, integer(Uint8Array.of(version)))]),
    integer(Uint8Array.of(0x41, 0x42)),
    algorithm,
    verbatim(root.subject),
    sequence(time(shape.notBeforeMs ?? nowMs - 60_000), time(shape.notAfterMs ?? nowMs + 3_600_000)),
    shape.emptySubject === true ? sequence() : verbatim(nameOf("organization", "Craft")),
    verbatim(Uint8Array.from(pair.publicKey.export({ format: "der", type: "spki" }))),
    ...(version === 0 ? [] : [explicit(3, extensionsOf(shape))]),
  );
  const signature = sign("sha256", encode(body), createPrivateKey(authority.exportKey()));
  return {
    der: encode(sequence(body, algorithm, bitString(signature))),
    keyPem: pair.privateKey.export({ format: "pem", type: "pkcs8" }) as string,
  };
}
