/**
 * Streams that send the same have the same bytes: a change that 500 proxies want is encoded once. The nonce is part of
 * the bytes, so it is a number of the process, and what is kept may be used again by streams that have not had it.
 */
import { isTypeUrl } from "../type-urls.ts";
import { encodeResponseFrame, type NamedMessage } from "./delta-response.ts";

/** A resource that is sent, or the name of one that is removed. */
export type Part = NamedMessage | string;

export interface SharedResponse {
  /** Higher than that of every response made before. */
  readonly nonce: number;
  /** As in the response. */
  readonly nonceText: string;
  readonly frame: Uint8Array<ArrayBuffer>;
}

let lastNonce = 0;
/** By type: all streams push one change one after the other. */
const newest = new Map<string, SharedResponse & { readonly parts: readonly Part[] }>();

/** A response of these parts with a nonce above `after`, the last one of this type on the stream. */
export function sharedResponse(typeUrl: string, parts: readonly Part[], after: number): SharedResponse {
  const kept = newest.get(typeUrl);
  if (kept !== undefined && kept.nonce > after && sameParts(kept.parts, parts)) return kept;
  const resources: NamedMessage[] = [];
  const removed: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") removed.push(part);
    else resources.push(part);
  }
  lastNonce += 1;
  const nonceText = String(lastNonce);
  const frame = encodeResponseFrame({ typeUrl, nonce: nonceText, resources, removed });
  const made = { nonce: lastNonce, nonceText, frame, parts };
  // Clients may name any type; only those that are served are kept.
  if (isTypeUrl(typeUrl)) newest.set(typeUrl, made);
  return made;
}

function sameParts(a: readonly Part[], b: readonly Part[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
