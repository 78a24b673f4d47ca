/** What one agent tells, read into facts. */
import { type ApiTarget, callApi } from "@hansa/identity";
import { writerOf } from "../mesh/agents.ts";
import { readProxy } from "../mesh/proxies.ts";
import { answerOf, list, number, object, READ_TIMEOUT_MS, strings, text } from "../shell/api.ts";
import type { AgentFacts, PathFacts, SourceFacts } from "./facts.ts";
import { readFold } from "./gather-fold.ts";
import { orNull, probe } from "./probe.ts";

/** Of the agent's outbox (records); its metrics name the same bound. */
const OUTBOX_MAX = 50_000;

export async function agentFacts(
  cluster: string,
  target: ApiTarget,
  names: ReadonlyMap<string, string>,
): Promise<AgentFacts> {
  const known = await probe(target, "/v1/status");
  const read = async (path: string) => {
    const answer =
      known.status === 200 ? await orNull(callApi(target, { path, timeoutMs: READ_TIMEOUT_MS })) : null;
    return answer === null ? null : answerOf(answer, cluster).data;
  };
  const [proxies, clusters, paths] = await Promise.all([
    read("/v1/proxies"),
    read("/v1/clusters?limit=1000"),
    read("/v1/paths"),
  ]);
  const answers = known.status === 200;
  const data = object(known.body.data);
  const writer = object(data.writer);
  const depth = number(writer.outbox);
  const { up, refusal } = object(data.bus);
  return {
    cluster,
    reach: known.reach,
    ready: answers ? { ok: data.ready === true, problems: strings(data.notReady) } : null,
    clockOffsetMs: known.clockOffsetMs,
    fingerprint: text(data.fingerprint) || null,
    busUp: typeof up === "boolean" ? up : null,
    busRefusal: text(refusal),
    writer: answers ? writerOf(data) : null,
    outbox: depth === null ? null : { depth, max: OUTBOX_MAX },
    selfDoubt: text(data.selfDoubt) !== "" && data.selfDoubt !== "none",
    source: answers ? readSource(data.source) : null,
    svids: answers ? certificates(object(data.certificates)) : null,
    fold: answers ? readFold(data, list(clusters?.items), names) : null,
    paths: paths === null ? null : pathFacts(paths),
    proxies: proxies === null ? null : list(proxies.items).map((raw) => proxyFacts(cluster, raw)),
  };
}

export function readSource(told: unknown): SourceFacts {
  const { problems, staleSinceMs } = object(told);
  return { problems: strings(problems), staleSinceMs: number(staleSinceMs) };
}

export const pathFacts = ({ items }: Readonly<Record<string, unknown>>): PathFacts[] =>
  list(items).map(({ to, host, port, result }) => ({
    to: text(to),
    address: `${text(host)} port ${number(port) ?? "?"}`,
    isNarrow: result === "narrow",
  }));

function certificates({ ca, svids }: Readonly<Record<string, unknown>>): NonNullable<AgentFacts["svids"]> {
  const root = number(object(ca).notAfterMs);
  const leaves = list(svids).flatMap(({ id, notAfterMs, notBeforeMs }) => {
    const endsMs = number(notAfterMs);
    return endsMs === null ? [] : [{ name: text(id), notAfterMs: endsMs, notBeforeMs: number(notBeforeMs) }];
  });
  return root === null ? leaves : [{ name: "root", notAfterMs: root, notBeforeMs: null }, ...leaves];
}

function proxyFacts(
  cluster: string,
  raw: Readonly<Record<string, unknown>>,
): NonNullable<AgentFacts["proxies"]>[number] {
  const { id, connected, types } = readProxy(cluster, raw);
  return {
    id,
    connected,
    types: types.map(({ type, sent, acked, synced, nack }) => ({
      type,
      sent: String(sent),
      acked: String(acked),
      synced,
      nack: nack?.message ?? null,
    })),
  };
}
