/**
 * Registry of stable codes. A code is never re-used and never changes its meaning.
 * 1xxx usage and input · 2xxx log, bus and archive · 3xxx trust and access · 4xxx routing and liveness · 5xxx data plane ·
 * 6xxx lab and set-up. `exit` follows sysexits: 1 internal, 64 usage, 65 input, 69 unreachable, 75 timeout, 77 permission, 79 findings.
 */
export interface CodeEntry {
  readonly name: string;
  readonly meaning: string;
  readonly todo: string;
  readonly exit: number;
  readonly http: number;
}

const entry = (name: string, exit: number, http: number, meaning: string, todo: string): CodeEntry => ({
  name,
  meaning,
  todo,
  exit,
  http,
});

export const CODES = {
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

  HSA2001: entry(
    "undecodable",
    65,
    400,
    "A record or event does not decode.",
    "The record is quarantined; the source's next snapshot repairs the state. Look for a version mismatch.",
  ),
  HSA2002: entry(
    "limit",
    65,
    413,
    "A record, event or register exceeds a limit of the log.",
    "Make it smaller; the limit is in the message.",
  ),
  HSA2003: entry(
    "fenced",
    1,
    409,
    "Another writer of the same cluster has a higher epoch.",
    "Expected at a change of leader: this replica serves but does not write. If it lasts, two agents run for one cluster.",
  ),
  HSA2004: entry(
    "bad-signature",
    65,
    401,
    "A record's signature does not verify under the key of its source.",
    "The record is quarantined. If it repeats, the source or the bus is hostile or mis-keyed.",
  ),
  HSA2005: entry(
    "gap",
    1,
    409,
    "Records of a source are missing and cannot be filled; the source is degraded and nothing is withdrawn.",
    "Wait for its next snapshot, or ask for one: `hansa want SOURCE`.",
  ),
  HSA2006: entry(
    "unknown-source",
    65,
    404,
    "A record's source has no membership entry yet; it is parked.",
    "It is applied when the membership arrives; if that never happens the source was not admitted.",
  ),
  HSA2007: entry(
    "digest-mismatch",
    1,
    409,
    "A snapshot's digest differs from the state it should give; nothing was swept.",
    "The source sends another snapshot; if it repeats, report it.",
  ),
  HSA2008: entry(
    "equivocation",
    1,
    409,
    "Two different records exist for one position of one log. Trust changes are frozen.",
    "Treat the source as compromised: compare heads with `hansa status`, evict or re-key it with operator signatures.",
  ),
  HSA2009: entry(
    "outbox-full",
    1,
    503,
    "The agent's outbox reached its limit while cut off; older changes are coalesced and an explicit gap will be archived.",
    "Restore the way to the hub.",
  ),
  HSA2010: entry(
    "bus-down",
    69,
    503,
    "The bus cannot be reached; local changes are kept and the data plane goes on.",
    "Restore NATS; agents catch up by themselves.",
  ),
  HSA2011: entry(
    "archive-down",
    69,
    503,
    "Postgres cannot be reached; the hub acknowledges nothing new.",
    "Restore Postgres; the hub catches up by itself.",
  ),
  HSA2012: entry(
    "archive-behind",
    69,
    503,
    "The archive is older than the logs (a restored backup); the hub serves read-only until it has caught up.",
    "Wait for the re-import; if it cannot complete, the message names what is missing.",
  ),
  HSA2013: entry(
    "wrong-writer",
    65,
    403,
    "A register was set by a source that may not set it; it is inert.",
    "Only the hub writes membership, hub key, operators and foreign domains.",
  ),

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

  HSA4001: entry(
    "unreachable-gateway",
    69,
    503,
    "This importer cannot reach a cluster's gateway although its control lease is alive.",
    "Look at the stage (TCP, TLS, SAN, HTTP) in `hansa get links`; other importers are not affected.",
  ),
  HSA4002: entry(
    "stale",
    79,
    200,
    "A cluster's control lease is lost but its gateway answers: endpoints are kept, frozen and demoted.",
    "Restore its agent or its way to NATS.",
  ),
  HSA4003: entry(
    "self-doubt",
    79,
    200,
    "This agent is itself sick (most probes fail, its loop lags or its own bus is down): it withdraws nothing.",
    "Look at this cluster's network and load first.",
  ),
  HSA4004: entry(
    "name-too-long",
    65,
    400,
    "The export's SNI would exceed 63 per label or 253 in all (NameTooLong).",
    "Shorten service, namespace or port name.",
  ),
  HSA4005: entry(
    "conflict",
    79,
    200,
    "Exporters of one service disagree; the oldest export wins.",
    "Make the exports agree; the message names field, value and clusters.",
  ),
  HSA4006: entry(
    "no-exporter",
    79,
    200,
    "No live exporter offers the service.",
    "Check `hansa describe service`.",
  ),
  HSA4007: entry(
    "denied",
    79,
    403,
    "No allow lets this caller reach this service.",
    "Add an allow in the exporting cluster.",
  ),
  HSA4008: entry(
    "lost",
    79,
    200,
    "A cluster's lease and its gateway are both lost: its endpoints are withdrawn here.",
    "Restore the cluster; it returns by itself.",
  ),
  HSA4009: entry(
    "no-address",
    65,
    400,
    "A service has endpoints that cannot be exported (no sidecar and no gateway mode, or an address outside the grant).",
    "Give them a sidecar or a granted address.",
  ),

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

export type Code = keyof typeof CODES;

export const isCode = (text: string): text is Code => Object.hasOwn(CODES, text);
