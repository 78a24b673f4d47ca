/** `hansa status`: one line per cluster, every column measured; what was not measured is `-`. */
import { type Answer, askList, list, number, object, strings, text } from "../shell/api.ts";
import { momentOption } from "../shell/moment.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { type AgentAnswer, askAgents, writerOf } from "./agents.ts";
import { type ClusterState, type Evidence, evidenceOf, rttsOf, stateOf } from "./cluster-state.ts";
import { evidenceItem } from "./evidence.ts";
import { LISTINGS } from "./listings.ts";
import { ackedBy, type Place, type Positions, positionsNow } from "./positions.ts";
import { stampOf, stampText } from "./stamp.ts";

export const action: Action = async (shell, _args, options) => {
  const at = momentOption("--at", options.at);
  const context = shell.context();
  const clusters = await askList(context, { path: "/v1/clusters", at });
  const moment = at === undefined || clusters.position === null ? undefined : String(clusters.position);
  const [links, services, agents, positions] = await Promise.all([
    askList(context, { path: "/v1/links", at: moment }),
    askList(context, { path: "/v1/services", at: moment }),
    at === undefined ? askAgents(context, "/v1/status") : null,
    at === undefined ? positionsNow(context) : null,
  ]);
  const items = statusOf({
    clusters: clusters.items.map(LISTINGS.clusters.item),
    links: withLive(links.items.map(LISTINGS.links.item).map(evidenceItem), agents),
    services: services.items.map(LISTINGS.services.item),
    agents,
    positions,
  });
  const sick = items.some(({ code }) => code !== null && code !== "HSA3010");
  return {
    kind: "Status",
    data: { ...stampOf(clusters), healthy: !sick, items },
    text: () => statusText(items, clusters),
    status: 0,
  };
};

/** What an importer's own agent says now stands over what the archive has of it: also its round trips are of now. */
export function withLive(
  links: readonly Evidence[],
  agents: ReadonlyMap<string, AgentAnswer> | null,
): readonly Evidence[] {
  const byPair = new Map(links.map((link) => [`${link.from} ${link.to}`, link]));
  for (const [from, answer] of agents ?? [])
    for (const { peer, ...value } of answer.kind === "answers" ? list(answer.data.links) : [])
      byPair.set(`${from} ${text(peer)}`, evidenceItem({ ...value, from, to: peer }));
  return [...byPair.values()];
}

export interface StatusInput {
  /** Items of `hansa get clusters` and `hansa get services`. */
  readonly clusters: readonly Readonly<Record<string, unknown>>[];
  readonly services: readonly Readonly<Record<string, unknown>>[];
  readonly links: readonly Evidence[];
  /** null for a past moment. */
  readonly agents: ReadonlyMap<string, AgentAnswer> | null;
  readonly positions: Positions | null;
}

export interface StatusItem extends ClusterState {
  readonly cluster: string;
  readonly region: string;
  /** `ready`, `not ready`, `silent`; null: not asked. */
  readonly agent: string | null;
  /** `writing`, `standby`, `fenced`: may it write its cluster's log? */
  readonly writer: string | null;
  /** How many of the live importers hold its control lease, e.g. `2/2`. */
  readonly lease: string | null;
  /** Head of its `sum` log, what the hub committed and what the slowest importer acknowledged: `epoch/seq`. */
  readonly head: string | null;
  readonly committed: string | null;
  readonly acked: string | null;
  /** Records that the slowest importer's Envoys have not acknowledged. */
  readonly lagRecords: number | null;
  readonly slowest: string | null;
  /** How many live importers' probes reach its gateway, and their round trips. */
  readonly gateway: string | null;
  readonly rttMs: { readonly minMs: number; readonly medianMs: number; readonly maxMs: number } | null;
  readonly exports: number;
  readonly imports: number;
}

export function statusOf(input: StatusInput): StatusItem[] {
  const { clusters, services, agents } = input;
  const live = clusters
    .filter(({ state }) => state !== "left" && state !== "evicted")
    .map(({ cluster }) => text(cluster));
  // Neither what a cluster that is gone has said counts, nor what is said of it.
  const links = input.links.filter(({ from, to }) => live.includes(from) && live.includes(to));
  return clusters.map((item) => {
    const cluster = text(item.cluster);
    const isLive = live.includes(cluster);
    const asked = isLive ? agents?.get(cluster) : undefined;
    const seen = evidenceOf(cluster, links);
    const share = (good: (link: Evidence) => boolean) =>
      seen.length === 0 ? null : `${seen.filter(good).length}/${seen.length}`;
    const state = stateOf({
      cluster,
      membership: text(item.state),
      degraded: item.degraded === true,
      links,
      agent: asked === undefined ? null : agentState(asked),
      onlyMember: live.length === 1,
    });
    const data = asked?.kind === "answers" ? asked.data : null;
    return {
      cluster,
      region: text(item.region),
      agent:
        asked === undefined ? null : data === null ? "silent" : data.ready === true ? "ready" : "not ready",
      writer: data === null ? null : writerOf(data),
      lease: share(({ lease }) => lease === "ok"),
      ...progress(input, cluster, isLive ? live.filter((name) => name !== cluster) : [], data),
      gateway: share(({ probe }) => probe === "ok"),
      rttMs: rttsOf(seen),
      exports: services.filter((one) => one.cluster === cluster && one.exported && one.effective).length,
      imports: isLive ? importsOf(services, cluster, live) : 0,
      ...state,
    };
  });
}

function agentState(answer: AgentAnswer): { answers: boolean; ready: boolean; message: string } {
  if (answer.kind === "fails") return { answers: false, ready: false, message: answer.message };
  const { ready, notReady } = answer.data;
  return { answers: true, ready: ready === true, message: strings(notReady).join("; ") };
}

/** Names that others export to it, own services not counted twice. */
function importsOf(services: StatusInput["services"], cluster: string, live: readonly string[]): number {
  const offered = services.filter(
    (one) =>
      one.cluster !== cluster &&
      live.includes(text(one.cluster)) &&
      one.exported === true &&
      one.effective === true &&
      (!Array.isArray(one.exportedTo) || one.exportedTo.includes(cluster)),
  );
  return new Set(offered.map(({ service }) => service)).size;
}

function progress(
  { positions }: StatusInput,
  cluster: string,
  importers: readonly string[],
  data: Readonly<Record<string, unknown>> | null,
) {
  const log = { cluster, lane: "sum" };
  const short = (place: Place | null) => (place === null ? null : `${place.epoch}/${place.seq}`);
  const own = list(object(data?.writer).lanes).find(({ lane }) => lane === "sum");
  const committed =
    positions?.committed.find((place) => place.cluster === cluster && place.lane === "sum") ?? null;
  const head = own ? placeOf(cluster, object(own.position)) : committed;
  const acks =
    positions === null
      ? []
      : importers.map((importer) => ({ importer, place: ackedBy(positions, importer, log) }));
  const slowest = acks.reduce<(typeof acks)[number] | null>(
    (worst, one) => (worst === null || order(one.place) < order(worst.place) ? one : worst),
    null,
  );
  const place = slowest?.place ?? null;
  const sameEpoch = head !== null && place !== null && head.epoch === place.epoch;
  return {
    head: short(head),
    committed: short(committed),
    acked: short(place),
    lagRecords: sameEpoch ? Math.max(0, head.seq - place.seq) : null,
    slowest: slowest?.importer ?? null,
  };
}

const placeOf = (cluster: string, raw: Readonly<Record<string, unknown>>): Place | null => {
  const [epoch, seq] = [number(raw.epoch), number(raw.seq)];
  return epoch === null || seq === null ? null : { cluster, lane: "sum", epoch, seq };
};

/** Epochs and sequences stay below 2^48; as text of fixed width they compare in order. */
const order = (place: Place | null): string =>
  place === null ? "" : `${String(place.epoch).padStart(16, "0")}/${String(place.seq).padStart(16, "0")}`;

function statusText(items: readonly StatusItem[], answer: Answer): string {
  if (items.length === 0) say("no clusters");
  const ms = (value: number) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));
  const rows = items.map((item) => [
    item.cluster,
    item.region,
    item.agent === null
      ? null
      : `${item.agent}${item.writer === null || item.writer === "writing" ? "" : ` (${item.writer})`}`,
    item.lease,
    item.head,
    item.committed,
    item.acked,
    item.lagRecords === null
      ? null
      : `${item.lagRecords}${item.lagRecords > 0 && item.slowest ? ` (${item.slowest})` : ""}`,
    item.gateway,
    item.rttMs === null ? null : `${ms(item.rttMs.minMs)}/${ms(item.rttMs.medianMs)}/${ms(item.rttMs.maxMs)}`,
    item.exports,
    item.imports,
    [item.state, item.detail, item.code ?? ""].filter((part) => part !== "").join(" "),
  ]);
  const headings = [
    "CLUSTER",
    "REGION",
    "AGENT",
    "LEASE",
    "SEQ",
    "COMMITTED",
    "ACKED",
    "LAG",
    "GATEWAY",
    "RTT MS",
    "EXPORTS",
    "IMPORTS",
    "STATE",
  ];
  say(stampText(answer));
  return table(headings, rows);
}
