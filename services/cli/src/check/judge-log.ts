/** Category log: do all folds agree, is anything missing, quarantined or waiting? Pure. */
import { isCode } from "@hansa/core";
import { isoTime } from "../shell/output.ts";
import { answering, type Facts, type FoldFacts, type LanePlace, type SourceFacts } from "./facts.ts";
import { unknown } from "./judge-reach.ts";
import { type Check, fail, none, ok, warn } from "./report.ts";

const OUTBOX_WARN = 0.5;

export function judgeLog(facts: Facts): Check[] {
  const { hub } = facts;
  const agents = answering(facts.agents);
  const folds = [
    ...(hub.fold === null ? [] : [{ who: "hub", fold: hub.fold }]),
    ...agents.flatMap(({ cluster, fold }) => (fold === null ? [] : [{ who: `${cluster}'s agent`, fold }])),
  ];
  const degraded = [...new Set(folds.flatMap(({ fold }) => fold.degraded))].sort();
  const want = `hansa want ${degraded[0] ?? "CLUSTER"}`;
  return [
    digests(folds),
    none("no log has a gap", hub.gaps, "HSA2005", want),
    none("the archive holds every record", hub.lost, "HSA2005", "hansa explain HSA2005", "warn"),
    none(
      "no source is degraded",
      degraded.map((cluster) => `${cluster}: records are missing or were poison`),
      "HSA2005",
      want,
    ),
    none("no record is quarantined", hub.quarantined, "HSA2001", want, "warn"),
    ...writers(facts),
    ...outboxes(facts),
    ...sources(facts),
  ];
}

const name = ({ cluster, lane }: LanePlace): string => `${cluster}/${lane}`;
const place = ({ epoch, seq }: LanePlace): string => `${epoch}/${seq}`;

/** Folds that stand at the same heads must have the same digest; those behind are named with what they lack. */
function digests(folds: readonly { who: string; fold: FoldFacts }[]): Check {
  const description = "hub and agents hold the same state (digests)";
  const told = folds.filter(({ fold }) => fold.digest !== null);
  if (told.length === 0) return unknown(description);
  const different = new Set(told.map(({ fold }) => fold.digest));
  if (different.size === 1) return ok(description);
  const newest = new Map<string, LanePlace>();
  for (const { fold } of told)
    for (const head of fold.heads) {
      const best = newest.get(name(head));
      if (!best || head.epoch > best.epoch || (head.epoch === best.epoch && head.seq > best.seq))
        newest.set(name(head), head);
    }
  const behind = told.flatMap(({ who, fold }) => {
    const held = new Map(fold.heads.map((head) => [name(head), head]));
    return [...newest]
      .filter(([lane, head]) => place(held.get(lane) ?? { ...head, epoch: 0, seq: 0 }) !== place(head))
      .map(
        ([lane, head]) =>
          `${who} is behind in ${lane}: ${held.has(lane) ? place(held.get(lane)!) : "nothing"} of ${place(head)}`,
      );
  });
  if (behind.length > 0)
    return warn(
      description,
      "HSA2007",
      behind.slice(0, 8).join("; "),
      "hansa check --category log (again: they may be catching up)",
    );
  const lanes = lanesThatDiffer(told);
  return fail(
    description,
    "HSA2007",
    lanes.length > 0
      ? `same heads, different state in ${lanes.join(", ")}`
      : `same heads, different digests: ${told.map(({ who, fold }) => `${who} ${fold.digest?.slice(0, 12)}`).join(", ")}`,
    `hansa want ${lanes[0]?.split("/")[0] ?? "CLUSTER"}`,
  );
}

function lanesThatDiffer(folds: readonly { fold: FoldFacts }[]): string[] {
  const seen = new Map<string, string>();
  const differ = new Set<string>();
  for (const { fold } of folds)
    for (const [lane, digest] of Object.entries(fold.laneDigests))
      if (seen.has(lane) && seen.get(lane) !== digest) differ.add(lane);
      else seen.set(lane, digest);
  return [...differ].sort();
}

function writers({ agents }: Facts): Check[] {
  return answering(agents)
    .filter(({ writer }) => writer !== null)
    .map(({ cluster, writer }) => {
      const description = `${cluster}'s agent writes its cluster's log`;
      return writer === "writing"
        ? ok(description)
        : warn(description, "HSA2003", `${cluster}'s agent is ${writer}`, `hansa events --source ${cluster}`);
    });
}

function outboxes({ agents }: Facts): Check[] {
  return answering(agents).flatMap(({ cluster, outbox }) => {
    if (outbox === null) return [];
    const { depth, max } = outbox;
    const description = `${cluster}'s outbox has room`;
    const cause = `${depth} of ${max} records wait for the hub's commit`;
    if (depth >= max) return [fail(description, "HSA2009", cause, "hansa check --category hub,bus")];
    if (depth > max * OUTBOX_WARN)
      return [warn(description, "HSA2009", cause, "hansa check --category hub,bus")];
    return [ok(description)];
  });
}

function sources({ agents }: Facts): Check[] {
  return answering(agents).flatMap(({ cluster, source }) =>
    source === null ? [] : [judgeSource(cluster, source)],
  );
}

/** A problem of an API server begins with its code; what is wrong with a file has none of its own. */
export function judgeSource(cluster: string, { problems, staleSinceMs }: SourceFacts): Check {
  const description = `${cluster}'s source of services is valid`;
  const [word = ""] = /^HSA\d{4}/.exec(problems[0] ?? "") ?? [];
  const code = isCode(word) ? word : "HSA1003";
  const causes = problems.map((problem) => `${cluster}: ${problem}`);
  if (staleSinceMs !== null) causes.push(`stale since ${isoTime(staleSinceMs)}`);
  return none(description, causes, code, `hansa explain ${code}`);
}
