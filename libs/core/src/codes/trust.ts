/** 3xxx: Trust and access. */
import { type CodeEntry, entry } from "./entry.ts";

export const TRUST_CODES = {
  HSA3001: entry(
    "unauthenticated",
    77,
    401,
    "The request carries no valid credential.",
    "Pass a token (HANSA_TOKEN) or log in; the lab writes its own credentials file.",
  ),
  HSA3002: entry(
    "forbidden",
    77,
    403,
    "The credential's role does not allow this.",
    "Use a credential with the role named in the message.",
  ),
  HSA3003: entry(
    "bad-token",
    77,
    403,
    "The join token is unknown, used, expired or for another cluster.",
    "Make a new one: `hansa cluster token NAME`.",
  ),
  HSA3004: entry(
    "name-pinned",
    77,
    409,
    "That cluster name is pinned to another key.",
    "Use another name, join with the pinned key, or re-key with operator signatures.",
  ),
  HSA3005: entry(
    "bad-fingerprint",
    77,
    403,
    "The federation's fingerprint is not the expected one.",
    "The hub is not the one that the token names. Do not continue.",
  ),
  HSA3006: entry(
    "outside-grant",
    65,
    403,
    "A fact lies outside what its cluster was granted; it is inert.",
    "Ask for a wider grant, or move the object; the message names the fact and the grant.",
  ),
  HSA3007: entry(
    "bad-operator-signature",
    77,
    403,
    "An operator command lacks enough valid operator signatures, or names another federation, key or incarnation.",
    "Sign with `hansa operator sign`; k signatures are needed.",
  ),
  HSA3008: entry(
    "bad-svid",
    65,
    400,
    "A certificate or CSR does not have exactly one well-formed SPIFFE URI SAN, or breaks another rule of X509-SVID.",
    "Re-issue it; the message names the rule.",
  ),
  HSA3009: entry("frozen", 77, 409, "Trust changes are frozen because of an equivocation.", "See HSA2008."),
  HSA3010: entry("evicted", 77, 403, "The cluster was evicted or has left.", "Rejoin with a new token."),
} as const satisfies Record<string, CodeEntry>;
