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

export const canonicalJson = (value: unknown): string =>
  // What was canonical once is in order already: then the engine's own encoder says the same, several times faster.
  isInOrder(value) ? JSON.stringify(value) : slowly(value);

/** Plain data of which every object lists its members in order. */
function isInOrder(value: unknown): boolean {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.every(isInOrder) && !("toJSON" in value);
  const prototype = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || "toJSON" in value) return false;
  let before: string | undefined;
  for (const key of Object.keys(value)) {
    if (before !== undefined && before > key) return false;
    before = key;
    if (!isInOrder((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}

function slowly(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("canonicalJson: a number is not finite");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(slowly).join(",")}]`;
  if (typeof value === "object") {
    const members = value as Record<string, unknown>;
    const parts: string[] = [];
    for (const key of Object.keys(members).sort()) {
      const member = members[key];
      if (member !== undefined) parts.push(`${JSON.stringify(key)}:${slowly(member)}`);
    }
    return `{${parts.join(",")}}`;
  }
  throw new TypeError(`canonicalJson: cannot encode ${typeof value}`);
}

/** Whether two plain values have the same canonical JSON, without making it. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index]))
    );
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!sameJson(left[key], right[key])) return false;
  return Object.keys(right).every((key) => right[key] === undefined || left[key] !== undefined);
}

export const canonicalBytes = (value: unknown): Uint8Array => utf8(canonicalJson(value));
