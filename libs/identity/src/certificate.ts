/** Builds and signs X.509 v3 certificates (RFC 5280). Knows encodings, not SPIFFE. */
import { createHash, type KeyObject, sign } from "node:crypto";
import { assert, type Random } from "@hansa/core";
import {
  bitString,
  boolean,
  children,
  type Der,
  decode,
  encode,
  explicit,
  implicit,
  integer,
  OID,
  octets,
  oid,
  primitive,
  sequence,
  set,
  time,
  utf8String,
  verbatim,
} from "./der.ts";

export type AltName =
  | { readonly kind: "uri" | "dns"; readonly value: string }
  | { readonly kind: "ip"; readonly value: Uint8Array };

/** Bits of keyUsage by their ASN.1 numbers. */
export type KeyUsage = "leaf" | "authority";

export interface CertificateShape {
  readonly serial: Uint8Array;
  /** DER of the issuer's name, copied verbatim. */
  readonly issuer: Uint8Array;
  /** DER of the subject's name. */
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER of the SubjectPublicKeyInfo, copied verbatim. */
  readonly spki: Uint8Array;
  readonly usage: KeyUsage;
  readonly altNames: readonly AltName[];
  /** Key identifier of the issuer's key. */
  readonly authorityKeyId: Uint8Array;
}

const SAN_TAG = { uri: 6, dns: 2, ip: 7 } as const;

/** 128 random bits with the top bit clear and the next one set: positive, and always 16 octets. */
export function newSerial(random: Random): Uint8Array {
  const serial = Uint8Array.from(random.bytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

export const nameOf = (type: "commonName" | "organization", text: string): Uint8Array =>
  encode(sequence(set(sequence(oid(OID[type]), utf8String(text)))));

/** RFC 7093 §2 method 1: leftmost 160 bits of SHA-256 over the public key's bit string. */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const bits = primitive(children(decode(spki))[1]);
  assert(bits !== undefined, "a public key has a bit string");
  return createHash("sha256").update(bits.subarray(1)).digest().subarray(0, 20);
}

const extension = (id: string, critical: boolean, value: Der): Der =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(encode(value)));

function altName(name: AltName): Der {
  return implicit(SAN_TAG[name.kind], name.kind === "ip" ? name.value : Buffer.from(name.value, "latin1"));
}

function extensions(shape: CertificateShape): Der {
  const authority = shape.usage === "authority";
  // digitalSignature = bit 0; keyCertSign = bit 5, cRLSign = bit 6.
  const usage = authority ? bitString(Uint8Array.of(0x06), 1) : bitString(Uint8Array.of(0x80), 7);
  const constraints = authority ? sequence(boolean(true), integer(Uint8Array.of(0))) : sequence();
  return sequence(
    extension(OID.keyUsage, true, usage),
    ...(authority
      ? []
      : [extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth)))]),
    extension(OID.basicConstraints, true, constraints),
    extension(OID.subjectKeyIdentifier, false, octets(keyIdentifier(shape.spki))),
    extension(OID.authorityKeyIdentifier, false, sequence(implicit(0, shape.authorityKeyId))),
    ...(shape.altNames.length === 0
      ? []
      : [extension(OID.subjectAltName, false, sequence(...shape.altNames.map(altName)))]),
  );
}

/** DER of the signed certificate. */
export function buildCertificate(shape: CertificateShape, key: KeyObject): Uint8Array {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const body = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(shape.serial),
    algorithm,
    verbatim(shape.issuer),
    sequence(time(shape.notBeforeMs), time(shape.notAfterMs)),
    verbatim(shape.subject),
    verbatim(shape.spki),
    explicit(3, extensions(shape)),
  );
  const signature = sign("sha256", encode(body), key);
  return encode(sequence(body, algorithm, bitString(signature)));
}
