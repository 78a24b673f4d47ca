/** 1xxx: Usage and input, and what the services say of themselves. */
import { type CodeEntry, entry } from "./entry.ts";

export const USAGE_CODES = {
  HSA1001: entry(
    "usage",
    64,
    400,
    "The command line is wrong.",
    "Read the usage line printed with the error, or run the command with --help.",
  ),
  HSA1002: entry(
    "bad-topology",
    65,
    400,
    "The topology file is not valid.",
    "Mend the place named in the message; `hansa lab topology -f FILE` validates a file without starting anything.",
  ),
  HSA1003: entry(
    "bad-file-source",
    65,
    400,
    "The file source of a cluster is not valid; the last good version stays in force.",
    "Mend the place named in the message; the agent reloads by itself.",
  ),
  HSA1004: entry(
    "bad-request",
    65,
    400,
    "The request body or a parameter is not valid.",
    "Mend the field named in the message.",
  ),
  HSA1005: entry(
    "not-found",
    65,
    404,
    "No object of that name is known at that position.",
    "List what is there with `hansa get`, and check --at.",
  ),
  HSA1006: entry(
    "too-large",
    65,
    413,
    "The request exceeds a limit.",
    "Split it, or page through it; the limit is in the message.",
  ),
  HSA1007: entry(
    "unknown-code",
    65,
    404,
    "There is no such code.",
    "`hansa explain` without an argument lists all codes.",
  ),
  HSA1008: entry(
    "bad-time",
    65,
    400,
    "--at is not a time or position that the archive covers.",
    "Give an RFC 3339 time, a duration such as 5m (ago), or a position, not before the first record.",
  ),
  HSA1009: entry(
    "timeout",
    75,
    504,
    "The condition did not hold within the time limit.",
    "The message lists who is missing; raise --timeout or look at `hansa status`.",
  ),
  HSA1010: entry(
    "findings",
    79,
    200,
    "The check found problems.",
    "Each finding carries its own code and what to do.",
  ),
  HSA1011: entry(
    "internal",
    1,
    500,
    "An invariant of Hansa broke.",
    "This is a bug: report the message and the log around it.",
  ),
  HSA1012: entry(
    "unreachable",
    69,
    503,
    "A service that the command needs does not answer.",
    "Check that it runs (`hansa lab status`) and that address and credentials are right.",
  ),
} as const satisfies Record<string, CodeEntry>;
