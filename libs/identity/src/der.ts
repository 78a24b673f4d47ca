/** DER values over node-forge's ASN.1, in the few shapes that certificates use. Building and reading only; no rules. */
import forge from "node-forge";

export type Der = forge.asn1.Asn1;

const { asn1 } = forge;
const { Class, Type } = asn1;

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const ofBinary = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

export const sequence = (...items: Der[]): Der => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, items);
export const set = (...items: Der[]): Der => asn1.create(Class.UNIVERSAL, Type.SET, true, items);
export const oid = (dotted: string): Der =>
  asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
export const boolean = (value: boolean): Der =>
  asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? "\xff" : "\x00");
export const integer = (bytes: Uint8Array): Der =>
  asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(bytes));
export const bitString = (bytes: Uint8Array, unusedBits = 0): Der =>
  asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unusedBits) + binary(bytes));
export const octets = (bytes: Uint8Array): Der =>
  asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes));
export const utf8String = (text: string): Der =>
  asn1.create(Class.UNIVERSAL, Type.UTF8, false, Buffer.from(text, "utf8").toString("latin1"));
/** [n] IMPLICIT over primitive bytes. */
export const implicit = (tag: number, bytes: Uint8Array): Der =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, false, binary(bytes));
/** [n] EXPLICIT. */
export const explicit = (tag: number, inner: Der): Der =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, true, [inner]);

/** RFC 5280 §4.1.2.5: UTCTime through 2049, then GeneralizedTime. */
export function time(ms: number): Der {
  const date = new Date(ms);
  return date.getUTCFullYear() < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, asn1.dateToUtcTime(date) as unknown as string)
    : asn1.create(
        Class.UNIVERSAL,
        Type.GENERALIZEDTIME,
        false,
        asn1.dateToGeneralizedTime(date) as unknown as string,
      );
}

export const encode = (value: Der): Uint8Array => ofBinary(asn1.toDer(value).getBytes());

/** Reads one whole DER value; throws for anything else. Callers at the edge catch. */
export const decode = (bytes: Uint8Array): Der =>
  // `decodeBitStrings: false`: a bit string stays the bytes that it is.
  asn1.fromDer(binary(bytes), { strict: true, parseAllBytes: true, decodeBitStrings: false } as never);

/**
 * DER made elsewhere, to be copied verbatim (issuer names and keys: a re-encoded issuer fails in Go, spiffe §0.4).
 * Throws where decoding and encoding would change a byte.
 */
export function verbatim(bytes: Uint8Array): Der {
  const value = decode(bytes);
  if (Buffer.compare(encode(value), bytes) !== 0) throw new Error("not DER: a re-encoding differs");
  return value;
}

export const isUniversal = (value: Der | undefined, type: forge.asn1.Type): value is Der =>
  value !== undefined && value.tagClass === Class.UNIVERSAL && value.type === type;

export const children = (value: Der | undefined): readonly Der[] =>
  value !== undefined && Array.isArray(value.value) ? value.value : [];

/** Bytes of a primitive value; undefined for a constructed one. */
export const primitive = (value: Der | undefined): Uint8Array | undefined =>
  value !== undefined && typeof value.value === "string" ? ofBinary(value.value) : undefined;

export const isContext = (value: Der | undefined, tag: number): value is Der =>
  value !== undefined && value.tagClass === Class.CONTEXT_SPECIFIC && (value.type as number) === tag;

export function readOid(value: Der | undefined): string | undefined {
  return isUniversal(value, Type.OID) && typeof value.value === "string"
    ? asn1.derToOid(value.value)
    : undefined;
}

export function readTimeMs(value: Der | undefined): number | undefined {
  const text = primitive(value);
  if (text === undefined) return undefined;
  const ascii = Buffer.from(text).toString("latin1");
  if (isUniversal(value, Type.UTCTIME) && /^\d{12}Z$/.test(ascii)) return asn1.utcTimeToDate(ascii).getTime();
  if (isUniversal(value, Type.GENERALIZEDTIME) && /^\d{14}Z$/.test(ascii))
    return asn1.generalizedTimeToDate(ascii).getTime();
  return undefined;
}

export const TYPE = Type;
