/** PEM armour (RFC 7468) for certificates. */

const BLOCK = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g;

export function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** All certificates of a PEM text in order; an empty list where there is none. */
export function fromPem(pem: string): Uint8Array[] {
  return Array.from(pem.matchAll(BLOCK), (match) => Uint8Array.from(Buffer.from(match[1] ?? "", "base64")));
}
