/** 6xxx: Lab and set-up. */
import { type CodeEntry, entry } from "./entry.ts";

export const LAB_CODES = {
  HSA6001: entry(
    "missing-binary",
    69,
    500,
    "A needed program is missing.",
    "Run `npm start` or `npm test` once with a network, or set the variable named in the message.",
  ),
  HSA6002: entry(
    "lab-running",
    65,
    409,
    "A lab of this checkout runs already.",
    "`hansa lab status`, or `hansa lab down` first.",
  ),
  HSA6003: entry(
    "lab-not-running",
    69,
    503,
    "No lab of this checkout runs.",
    "`hansa lab up --detach`, or `npm start`.",
  ),
  HSA6004: entry(
    "component",
    65,
    404,
    "There is no such component, or it is not in a state for this action.",
    "`hansa lab status` lists them.",
  ),
  HSA6005: entry(
    "start-failed",
    1,
    500,
    "A component did not become healthy.",
    "Its log file is named in the message.",
  ),
} as const satisfies Record<string, CodeEntry>;
