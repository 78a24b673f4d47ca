/** Public nkeys of simulated accounts and users: base32 of prefix byte, key and CRC-16, as NATS has them. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PREFIX = { account: 0, user: 20 << 3 } as const;

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

export function nkeyOf(raw: Uint8Array, kind: keyof typeof PREFIX): string {
  const bytes = Uint8Array.from([PREFIX[kind], ...raw]);
  const crc = crc16(bytes);
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of [...bytes, crc & 0xff, crc >> 8]) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
  }
  return text;
}
