/** 5xxx: What proxies are told. */
import { type CodeEntry, entry } from "./entry.ts";

export const DATA_PLANE_CODES = {
  HSA5001: entry(
    "nack",
    79,
    200,
    "A proxy refused a configuration; it keeps its last good one.",
    "`hansa proxy status` shows type and reason.",
  ),
  HSA5002: entry(
    "inconsistent",
    1,
    500,
    "A configuration failed the consistency check and was not served.",
    "This is a bug: report the message.",
  ),
  HSA5003: entry(
    "not-owner",
    77,
    403,
    "An xDS stream named a node that does not own it.",
    "A proxy may only use the socket made for it.",
  ),
} as const satisfies Record<string, CodeEntry>;
