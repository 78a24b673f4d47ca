/** Category trust: one federation, enough operators, everybody's bundle everywhere, certificates with time left. Pure. */
import type { Code } from "@hansa/core";
import { duration } from "../shell/output.ts";
import { answering, type Facts, present } from "./facts.ts";
import { unknown } from "./judge-reach.ts";
import { type Check, none, ok, warn } from "./report.ts";

/** Renewed at half of an hour: with a quarter left two renewals have failed. */
const SVID_LEFT_WARN_MS = 15 * 60_000;
const ROOT_LEFT_WARN_MS = 60 * 86_400_000;

export function judgeTrust(facts: Facts): Check[] {
  const { hub, members } = facts;
  const checks: Check[] = [fingerprints(facts)];

  const description = "operators: no single key is enough";
  if (hub.operators !== null) {
    const { count, threshold } = hub.operators;
    const weak = threshold < 2 && !hub.isLab;
    checks.push(
      weak
        ? warn(
            description,
            "HSA3007",
            `${threshold} of ${count} operator signatures suffice`,
            'hansa operator sign --order "operators 2 KEY KEY KEY"',
          )
        : ok(hub.isLab ? `operators: ${threshold} of ${count} (a lab)` : description),
    );
  }
  if (members === null) checks.push(unknown("members are known"));
  else {
    checks.push(bundles(facts));
    checks.push(sameMembers(facts));
  }
  checks.push(...histories(facts), ...ages(facts));
  return checks;
}

function histories(facts: Facts): Check[] {
  const folds = answering(facts.agents).flatMap(({ cluster, fold }) =>
    fold === null ? [] : [{ cluster, fold }],
  );
  const told = (wanted: Code) =>
    folds.flatMap(({ cluster: observer, fold }) =>
      fold.findings.filter(({ code }) => code === wanted).map((found) => ({ ...found, observer })),
    );
  // The hub is no member: only findings name it.
  const frozen = [
    ...folds.flatMap(({ fold }) => fold.frozen),
    ...told("HSA2008").map(({ cluster }) => cluster),
  ];
  const disputes = told("HSA2014").map(
    ({ cluster, key, message, observer }) =>
      `${cluster}'s log at ${key}, as ${observer} hears it: ${message}`,
  );
  return [
    none(
      "no log has two histories (equivocation)",
      [...new Set(frozen)].map(
        (cluster) => `${cluster}: two different records exist for one position; its trust is frozen`,
      ),
      "HSA2008",
      "hansa explain HSA2008",
    ),
    none("no member disputes another's log", disputes, "HSA2014", "hansa explain HSA2014", "warn"),
  ];
}

function fingerprints({ hub, agents }: Facts): Check {
  const description = "hub and agents have the same federation fingerprint";
  const seen = agents.flatMap(({ cluster, fingerprint }) =>
    fingerprint === null ? [] : [{ who: `${cluster}'s agent`, fingerprint }],
  );
  if (hub.fingerprint !== null) seen.unshift({ who: "hub", fingerprint: hub.fingerprint });
  if (seen.length === 0) return unknown(description);
  const [first] = seen;
  const others = seen.filter(({ fingerprint }) => fingerprint !== first?.fingerprint);
  return none(
    description,
    others.map(
      ({ who, fingerprint }) =>
        `${who} has ${fingerprint.slice(0, 16)}…, ${first?.who} has ${first?.fingerprint.slice(0, 16)}…`,
    ),
    "HSA3005",
    "hansa explain HSA3005",
  );
}

function bundles({ hub, members }: Facts): Check {
  const description = "every member has published its trust bundle";
  if (hub.bundles === null) return unknown(description);
  const have = new Set(hub.bundles);
  const missing = present(members ?? []).filter(({ trustDomain }) => !have.has(trustDomain));
  return none(
    description,
    missing.map(({ cluster, trustDomain }) => `${cluster} has published no bundle of ${trustDomain}`),
    "HSA4006",
    `hansa events --source ${missing[0]?.cluster ?? "CLUSTER"}`,
  );
}

/** Members as each fold holds them. */
function sameMembers({ members, agents }: Facts): Check {
  const description = "every agent knows every member";
  const causes = answering(agents).flatMap(({ cluster, fold }) => {
    if (fold === null) return [];
    const heard = new Set(fold.heads.map((head) => head.cluster));
    return present(members ?? [])
      .filter((member) => member.cluster !== cluster && !heard.has(member.cluster))
      .map((member) => `${cluster}'s agent has heard nothing of ${member.cluster}`);
  });
  return none(description, causes, "HSA2006", "hansa get links");
}

function ages({ agents, nowMs }: Facts): Check[] {
  const svids = answering(agents).flatMap(({ cluster, svids: list }) =>
    (list ?? []).map((one) => ({ ...one, cluster })),
  );
  if (svids.length === 0) return [];
  const roots = svids.filter(({ name }) => name === "root");
  const leaves = svids.filter(({ name }) => name !== "root");
  const say = ({ cluster, name, notAfterMs }: (typeof svids)[number]) =>
    `${cluster}: ${name} ${notAfterMs <= nowMs ? "expired" : "expires in"} ${duration(Math.abs(notAfterMs - nowMs))}${notAfterMs <= nowMs ? " ago" : ""}`;
  const within = (list: typeof svids, fromMs: number, toMs: number) =>
    list.filter(({ notAfterMs }) => notAfterMs - nowMs >= fromMs && notAfterMs - nowMs < toMs).map(say);
  const past = Number.NEGATIVE_INFINITY;
  const next = "hansa status";
  const expired = none("no certificate has expired", within(svids, past, 0), "HSA3008", next);
  const late = none(
    "SVIDs are renewed in time",
    within(leaves, 0, SVID_LEFT_WARN_MS),
    "HSA3008",
    next,
    "warn",
  );
  const root = none(
    "roots have at least 60 days left",
    within(roots, 0, ROOT_LEFT_WARN_MS),
    "HSA3008",
    next,
    "warn",
  );
  return expired.grade === "fail" ? [expired] : [expired, late, root];
}
