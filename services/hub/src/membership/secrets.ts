/** Secrets of tokens: 256 random bits. The id is public, unrelated to the secret. */
import { base64, hex } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";

export function newSecret(): { readonly id: string; readonly secret: string } {
  const text = base64(nodeRandom.bytes(32)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { id: hex(nodeRandom.bytes(8)), secret: `hansa_${text}` };
}
