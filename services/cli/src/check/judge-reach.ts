/** Categories context, hub, bus and clock: can everybody be reached, and do their clocks agree? Pure. */
import { type Code, isCode } from "@hansa/core";
import { duration } from "../shell/output.ts";
import { type AgentFacts, answering, type Facts, type PathFacts, present, type Reach } from "./facts.ts";
import { type Check, fail, none, ok, warn } from "./report.ts";

const LAG_WARN_RECORDS = 500;
/** SVIDs are backdated by 12 minutes: ±5 min of skew on both sides is borne (design §4). */
const SKEW_FAIL_MS = 300_000;
const SKEW_WARN_MS = 2000;

/** Where the processes themselves are looked at. */
const processes = ({ isLab }: Facts): string => (isLab ? "hansa lab status" : "hansa status");

function reachCheck(description: string, who: string, reach: Reach, next: string): Check {
  switch (reach.kind) {
    case "answers":
      return ok(description);
    case "refuses":
      return fail(description, reach.code, `${who}: ${reach.message}`, `hansa explain ${reach.code}`);
    case "silent":
      return fail(description, "HSA1012", `${who}: ${reach.message}`, next);
  }
}

export function judgeContext(facts: Facts): Check[] {
  const checks = [
    reachCheck("the hub answers and takes the credentials", "hub", facts.hub.reach, processes(facts)),
  ];
  for (const { cluster, reach } of facts.agents)
    checks.push(
      reachCheck(
        `${cluster}'s agent answers and takes the credentials`,
        `${cluster}'s agent`,
        reach,
        processes(facts),
      ),
    );
  const known = new Set(facts.agents.map(({ cluster }) => cluster));
  const unknown = present(facts.members ?? []).filter(({ cluster }) => !known.has(cluster));
  checks.push(
    none(
      "the context names an agent of every member",
      unknown.map(({ cluster }) => `${facts.contextFile} names no agent of ${cluster}`),
      "HSA1005",
      "hansa get clusters",
      "warn",
    ),
  );
  return checks;
}

export function judgeHub(facts: Facts): Check[] {
  const { hub } = facts;
  const checks: Check[] = [];
  checks.push(
    hub.live
      ? ok("the hub's process is alive")
      : fail("the hub's process is alive", "HSA1012", "GET /livez fails", processes(facts)),
  );
  if (!hub.live) return checks;
  const ready = "the hub is ready";
  if (hub.ready === null || hub.ready.ok) checks.push(ok(ready));
  else
    checks.push(
      fail(
        ready,
        codeOf(hub.ready.problems) ?? "HSA1012",
        hub.ready.problems.join("; ") || "GET /readyz fails",
        "hansa status",
      ),
    );
  checks.push(
    none("the archive keeps up with the logs", behindLogs(facts), "HSA2012", "hansa status", "warn"),
  );
  return checks;
}

/** Each agent knows how long its own log is. */
function behindLogs({ hub, agents }: Facts): string[] {
  const committed = new Map((hub.fold?.heads ?? []).map((head) => [`${head.cluster}/${head.lane}`, head]));
  return answering(agents).flatMap(({ cluster, fold }) =>
    (fold?.heads ?? [])
      .filter((head) => head.cluster === cluster)
      .flatMap(({ lane, epoch, seq }) => {
        const held = committed.get(`${cluster}/${lane}`);
        if (held === undefined || held.epoch !== epoch || seq - held.seq <= LAG_WARN_RECORDS) return [];
        return [`${seq - held.seq} records of ${cluster}/${lane} are not archived yet`];
      }),
  );
}

/** A problem that begins with its own code keeps it: the first one's. */
function codeOf([first = ""]: readonly string[]): Code | undefined {
  const code = first.slice(0, "HSA0000".length);
  return isCode(code) ? code : undefined;
}

export function judgeBus(facts: Facts): Check[] {
  const { hub, agents } = facts;
  const checks: Check[] = [];
  if (hub.busUp !== null)
    checks.push(
      hub.busUp
        ? ok("the hub is connected to NATS")
        : fail(
            "the hub is connected to NATS",
            "HSA2010",
            "the hub has no connection to NATS",
            processes(facts),
          ),
    );
  for (const { cluster, busUp, busRefusal } of answering(agents))
    if (busUp !== null) {
      const description = `${cluster}'s agent is connected to NATS`;
      checks.push(
        busUp
          ? ok(description)
          : fail(
              description,
              "HSA2010",
              `${cluster}'s agent has no connection to NATS${busRefusal === "" ? "" : `: ${busRefusal}`}`,
              processes(facts),
            ),
      );
    }
  return checks.length > 0 ? checks : [unknown("somebody says whether NATS is up")];
}

export function judgePaths({ agents }: Facts): Check[] {
  const checks = answering(agents).flatMap(({ cluster, paths }) =>
    paths === null ? [] : [pathCheck(`${cluster}'s agent`, paths)],
  );
  return checks.length > 0 ? checks : [untold("packets of full size pass", agents)];
}

export const pathCheck = (who: string, paths: readonly PathFacts[]): Check =>
  none(
    `packets of full size pass from ${who} to hub, NATS and gateways`,
    paths
      .filter(({ isNarrow }) => isNarrow)
      .map(({ to, address }) => `they are lost on the way to ${to} at ${address}`),
    "HSA1013",
    "hansa explain HSA1013",
  );

export const unknown = (description: string): Check =>
  warn(
    description,
    "HSA1012",
    "neither the hub nor any agent answers this",
    "hansa check --category context,hub",
  );

/** Of what agents alone know: those in Kubernetes are in no context file, and are asked one by one. */
export const untold = (description: string, agents: Facts["agents"]): Check =>
  agents.length > 0
    ? unknown(description)
    : warn(
        description,
        "HSA1012",
        "the context names no agent that could tell",
        "hansa check --context NAME, for each cluster of kubectl's",
      );

export function judgeClock({ hub, agents }: Facts): Check[] {
  const clocks: { who: string; offsetMs: number }[] = [];
  if (hub.clockOffsetMs !== null) clocks.push({ who: "hub", offsetMs: hub.clockOffsetMs });
  for (const { cluster, clockOffsetMs } of agents as readonly AgentFacts[])
    if (clockOffsetMs !== null) clocks.push({ who: `${cluster}'s agent`, offsetMs: clockOffsetMs });
  if (clocks.length === 0) return [unknown("clocks agree")];
  // Against their median, so that this machine's own clock is judged like any other.
  const sorted = clocks.map(({ offsetMs }) => offsetMs).sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  const off = (limitMs: number) =>
    clocks
      .filter(({ offsetMs }) => Math.abs(offsetMs - median) > limitMs)
      .map(
        ({ who, offsetMs }) =>
          `${who} is ${duration(Math.abs(offsetMs - median))} ${offsetMs > median ? "ahead" : "behind"}`,
      );
  const next = "chronyc tracking";
  const checks = [
    none(
      "clocks of hub and agents agree within 5 min, as certificates need",
      off(SKEW_FAIL_MS),
      "HSA3008",
      next,
    ),
  ];
  const small = off(SKEW_WARN_MS).length > 0 && off(SKEW_FAIL_MS).length === 0 ? off(SKEW_WARN_MS) : [];
  checks.push(
    none(
      "clocks of hub and agents agree within 2 s, as times in answers suggest",
      small,
      "HSA1008",
      next,
      "warn",
    ),
  );
  const own = Math.abs(median);
  checks.push(
    own > SKEW_WARN_MS
      ? warn(
          "this machine's clock agrees with theirs",
          "HSA1008",
          `it is ${duration(own)} ${median > 0 ? "behind" : "ahead"}; --at by time means theirs`,
          next,
        )
      : ok("this machine's clock agrees with theirs"),
  );
  return checks;
}
