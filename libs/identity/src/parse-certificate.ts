/** Reads a certificate's fields from DER without judging them. Total: bad input is a value. */
import {
  children,
  type Der,
  decode,
  encode,
  isContext,
  isUniversal,
  OID,
  primitive,
  readOid,
  readTimeMs,
  TYPE,
} from "./der.ts";

export interface ParsedCertificate {
  readonly kind: "certificate";
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly subjectEmpty: boolean;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spki: Uint8Array;
  /** Raw text of the URI SANs, one character per octet: a NUL stays visible. */
  readonly uris: readonly string[];
  readonly altNameCritical: boolean;
  readonly ca: boolean;
  /** keyUsage bits by number, null where the extension is absent. */
  readonly keyUsage: { readonly critical: boolean; readonly bits: ReadonlySet<number> } | null;
  /** Purposes, null where the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | null;
}

export interface Malformed {
  readonly kind: "malformed";
  readonly message: string;
}

interface Extension {
  readonly critical: boolean;
  readonly value: Der;
}

export const CERTIFICATE_BYTES_MAX = 16_384;

class Shape extends Error {}

function must<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Shape(what);
  return value;
}

function readExtensions(list: Der | undefined): Map<string, Extension> {
  const found = new Map<string, Extension>();
  for (const item of children(list)) {
    const fields = children(item);
    const id = must(readOid(fields[0]), "an extension has no id");
    const flag = fields.length === 3 ? primitive(fields[1]) : Uint8Array.of(0);
    const octets = must(primitive(fields.at(-1)), `extension ${id} has no octets`);
    if (found.has(id)) throw new Shape(`extension ${id} appears twice`);
    found.set(id, { critical: flag?.[0] === 0xff, value: decode(octets) });
  }
  return found;
}

function readUris(extension: Extension | undefined): string[] {
  return children(extension?.value)
    .filter((name) => isContext(name, 6))
    .map((name) => Buffer.from(must(primitive(name), "a URI name is constructed")).toString("latin1"));
}

function readKeyUsage(extension: Extension | undefined): ParsedCertificate["keyUsage"] {
  if (extension === undefined) return null;
  const octets = must(primitive(extension.value), "keyUsage is not a bit string");
  const bits = new Set<number>();
  for (let bit = 0; bit < (octets.length - 1) * 8; bit++)
    if (((octets[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0) bits.add(bit);
  return { critical: extension.critical, bits };
}

function readCa(extension: Extension | undefined): boolean {
  const [first] = children(extension?.value);
  return isUniversal(first, TYPE.BOOLEAN) && primitive(first)?.[0] !== 0;
}

function parse(der: Uint8Array): ParsedCertificate {
  const [body] = children(decode(der));
  const fields = [...children(body)];
  const version = isContext(fields[0], 0) ? primitive(children(fields.shift())[0])?.[0] : 0;
  if (version !== 2) throw new Shape("not an X.509 v3 certificate");
  const [serial, , issuer, validity, subject, spki, ...rest] = fields;
  const [notBefore, notAfter] = children(validity);
  const extensions = readExtensions(children(rest.find((item) => isContext(item, 3)))[0]);
  const names = extensions.get(OID.subjectAltName);
  const purposes = extensions.get(OID.extendedKeyUsage);
  return {
    kind: "certificate",
    serial: must(primitive(serial), "no serial number"),
    issuer: encode(must(issuer, "no issuer")),
    subject: encode(must(subject, "no subject")),
    subjectEmpty: children(subject).length === 0,
    notBeforeMs: must(readTimeMs(notBefore), "no start of validity"),
    notAfterMs: must(readTimeMs(notAfter), "no end of validity"),
    spki: encode(must(spki, "no public key")),
    uris: readUris(names),
    altNameCritical: names?.critical ?? false,
    ca: readCa(extensions.get(OID.basicConstraints)),
    keyUsage: readKeyUsage(extensions.get(OID.keyUsage)),
    extendedKeyUsage:
      purposes === undefined ? null : children(purposes.value).map((purpose) => readOid(purpose) ?? "?"),
  };
}

export function parseCertificate(der: Uint8Array): ParsedCertificate | Malformed {
  if (der.length > CERTIFICATE_BYTES_MAX)
    return { kind: "malformed", message: `${der.length} bytes, more than ${CERTIFICATE_BYTES_MAX}` };
  try {
    return parse(der);
  } catch (error) {
    const message = error instanceof Shape ? error.message : "not DER";
    return { kind: "malformed", message };
  }
}
