/** What the hub tells, read into facts. */
import { callApi } from "@hansa/identity";
import { readPositions } from "../mesh/positions.ts";
import { answerOf, askList, list, number, object, READ_TIMEOUT_MS, strings, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import type { HubFacts, Readiness } from "./facts.ts";
import { readFindings } from "./gather-fold.ts";
import { orNull, probe } from "./probe.ts";

/** Check of /readyz → what it means. */
const READY_PROBLEMS: Readonly<Record<string, string>> = {
  archive: "HSA2011: it cannot read its archive (Postgres)",
  bus: "HSA2010: it has no connection to NATS",
  current: "HSA2012: its archive is older than the logs; it takes no commands yet",
};

export async function hubFacts(context: Context): Promise<HubFacts> {
  const { hub } = context;
  const [live, ready, known] = await Promise.all([
    probe(hub, "/livez"),
    probe(hub, "/readyz"),
    probe(hub, "/v1/federation"),
  ]);
  const read = (path: string) => orNull(callApi(hub, { path, timeoutMs: READ_TIMEOUT_MS }));
  const answers = known.status === 200;
  const onlyHub: Context = { ...context, agents: {} };
  const [positions, clusters, bundles] = answers
    ? await Promise.all([
        read("/v1/positions"),
        orNull(askList(onlyHub, { path: "/v1/clusters" })),
        orNull(askList(onlyHub, { path: "/v1/bundles" })),
      ])
    : [null, null, null];
  const data = object(known.body.data);
  const operators = object(data.operators);
  const places = positions === null ? null : answerOf(positions, "hub").data;
  const checks = object(object(ready.body.data).checks);
  return {
    reach: known.reach,
    live: live.status === 200,
    ready: ready.status === null ? null : readiness(ready.body),
    clockOffsetMs: live.clockOffsetMs,
    fingerprint: text(data.fingerprint) || null,
    operators: answers
      ? { count: strings(operators.keys).length, threshold: number(operators.threshold) ?? 0 }
      : null,
    isLab: data.lab === true,
    busUp: typeof checks.bus === "boolean" ? checks.bus : null,
    gaps: gapsThatAre(null, places).map(gapText),
    lost: gapsThatAre("lost", places).map(gapText),
    quarantined: readFindings(data.findings)
      .filter(({ code }) => code.startsWith("HSA2"))
      .map(({ code, cluster, message }) => `${code} ${cluster}: ${message}`),
    bundles:
      bundles?.items
        .filter(({ effective }) => effective !== false)
        .map(({ trustDomain }) => text(trustDomain)) ?? null,
    fold: answers
      ? {
          digest: text(data.digest) || null,
          heads: places === null ? [] : readPositions(places, "hub").committed,
          laneDigests: {},
          findings: readFindings(data.findings).filter(({ code }) => !code.startsWith("HSA2")),
          degraded: (clusters?.items ?? [])
            .filter(({ degraded }) => degraded === true)
            .map(({ name }) => text(name)),
          frozen: [],
        }
      : null,
  };
}

function readiness(body: Readonly<Record<string, unknown>>): Readiness {
  const { ready, role, checks } = object(body.data);
  const problems = Object.entries(object(checks))
    .filter(([, good]) => good === false)
    .map(([name]) => READY_PROBLEMS[name] ?? `${name} is not ready`);
  if (ready !== true && role === "starting") problems.push("it does not lead yet (starting)");
  return { ok: ready === true, problems };
}

/** An open gap may still be filled; a lost one is a hole of the archive alone, which the source's snapshot made good. */
function gapsThatAre(closed: null | "lost", places: Readonly<Record<string, unknown>> | null) {
  return places === null ? [] : list(places.gaps).filter((gap) => gap.closed === closed);
}

function gapText(raw: Readonly<Record<string, unknown>>): string {
  const place = (position: unknown) => `${object(position).epoch}/${object(position).seq}`;
  return `${text(raw.cluster)}/${text(raw.lane)}: nothing between ${place(raw.after)} and ${place(raw.before)}`;
}
