/** Raw Ed25519 keys of NATS public nkeys: base32 of prefix byte, 32 key bytes and CRC-16 (nkeys `strkey`). */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PREFIX = { account: 0, user: 20 << 3 } as const;

function base32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const char of text) {
    const value = ALPHABET.indexOf(char);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
      held &= (1 << bits) - 1;
    }
  }
  return Uint8Array.from(bytes);
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** undefined for everything that is not a public nkey of that kind. */
export function rawKeyOf(publicKey: string, kind: keyof typeof PREFIX): Uint8Array | undefined {
  if (publicKey.length !== 56) return undefined;
  const bytes = base32(publicKey);
  if (bytes?.length !== 35 || bytes[0] !== PREFIX[kind]) return undefined;
  if (crc16(bytes.subarray(0, 33)) !== (bytes[33]! | (bytes[34]! << 8))) return undefined;
  return bytes.subarray(1, 33);
}
