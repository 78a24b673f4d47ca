/**
 * Canonical JSON for hashing and signing: keys sorted by UTF-16 code unit, no white space, `undefined` members left
 * out (the subset of RFC 8785 that our payloads use: strings, safe integers and finite numbers, booleans, null).
 */
import { utf8 } from "./bytes.ts";

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("canonicalJson: a number is not finite");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object") {
    const members = value as Record<string, unknown>;
    const parts: string[] = [];
    for (const key of Object.keys(members).sort()) {
      const member = members[key];
      if (member !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
    }
    return `{${parts.join(",")}}`;
  }
  throw new TypeError(`canonicalJson: cannot encode ${typeof value}`);
}

export const canonicalBytes = (value: unknown): Uint8Array => utf8(canonicalJson(value));
