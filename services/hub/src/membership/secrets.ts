/** Secrets of tokens: 256 random bits. The id is public, unrelated to the secret. */
import { base64, hex, type Random } from "@hansa/core";

export function newSecret(random: Random): { readonly id: string; readonly secret: string } {
  const text = base64(random.bytes(32)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { id: hex(random.bytes(8)), secret: `hansa_${text}` };
}
