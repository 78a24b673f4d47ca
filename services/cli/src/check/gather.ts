/**
 * Gathers the facts for `hansa check` from the hub and every agent. Asks only; judges nothing. Folds that differ are asked
 * again for a short while: heartbeats and links move the logs all the time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { callApi } from "@hansa/identity";
import { labPaths } from "../../../../deploy/tools/lab-paths.ts";
import { type AgentAnswer, askAgents } from "../mesh/agents.ts";
import { evidenceItem } from "../mesh/evidence.ts";
import { LISTINGS } from "../mesh/listings.ts";
import { withLive } from "../mesh/status.ts";
import { answerOf, askList, list, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import type { AgentFacts, ExportFacts, Facts, HubFacts } from "./facts.ts";
import { agentFacts } from "./gather-agent.ts";
import { hubFacts } from "./gather-hub.ts";
import { orNull } from "./probe.ts";

const SETTLE_TRIES = 6;
const SETTLE_MS = 300;

export async function gather(context: Context): Promise<Facts> {
  const [clusters, links, services, statuses] = await Promise.all([
    orNull(askList(context, { path: "/v1/clusters" })),
    orNull(askList(context, { path: "/v1/links" })),
    orNull(askList(context, { path: "/v1/services" })),
    askAgents(context, "/v1/status"),
  ]);
  const names = new Map((clusters?.items ?? []).map((item) => [text(item.account), text(item.name)]));
  const { hub, agents } = await settled(context, names);
  const exported = (services?.items ?? [])
    .map(LISTINGS.services.item)
    .filter((item) => item.exported === true);
  const served = [...new Set(exported.map(({ service }) => text(service)))];
  const [exports, conflicts] = await Promise.all([
    services === null ? null : loads(context, exported),
    conflictsOf(context, served),
  ]);
  const gone = new Set(
    (clusters?.items ?? [])
      .filter(({ state }) => state === "left" || state === "evicted")
      .map(({ name }) => text(name)),
  );
  return {
    contextFile: context.file,
    isLab: context.file === labPaths().credentials,
    nowMs: Date.now(),
    hub,
    // What left or was evicted may be as it likes.
    agents: agents.filter(({ cluster }) => !gone.has(cluster)),
    members:
      clusters?.items.map((item) => ({
        cluster: text(item.name),
        state: text(item.state),
        trustDomain: text(item.trustDomain),
      })) ?? null,
    // The archive hears nothing new of an importer whose bus is down: its own word counts more.
    links: links === null ? null : withLive(links.items.map(LISTINGS.links.item).map(evidenceItem), statuses),
    exports,
    conflicts,
  };
}

async function settled(
  context: Context,
  names: ReadonlyMap<string, string>,
): Promise<{ hub: HubFacts; agents: AgentFacts[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const [hub, agents] = await Promise.all([
      hubFacts(context),
      Promise.all(
        Object.entries(context.agents).map(([cluster, target]) => agentFacts(cluster, target, names)),
      ),
    ]);
    const digests = [hub.fold?.digest, ...agents.map(({ fold }) => fold?.digest)].filter(
      (digest) => typeof digest === "string",
    );
    if (new Set(digests).size <= 1 || attempt >= SETTLE_TRIES) return { hub, agents };
    await sleep(SETTLE_MS);
  }
}

/** Healthy and total of each export: the hub's sums, or what the exporters' endpoints say. */
async function loads(
  context: Context,
  exported: readonly Readonly<Record<string, unknown>>[],
): Promise<ExportFacts[]> {
  const endpoints = await orNull(askList(context, { path: "/v1/endpoints" }));
  return exported.map((item) => {
    const own = endpoints?.items
      .map(LISTINGS.endpoints.item)
      .filter((one) => one.cluster === item.cluster && one.service === item.service);
    return {
      service: text(item.service),
      cluster: text(item.cluster),
      healthy: own?.filter(({ ready }) => ready === true).length ?? null,
      total: own?.length ?? null,
    };
  });
}

const CONFLICTS_ASKED_MAX = 200;

/** Conflicts are the view's: any agent that answers tells them per service. */
async function conflictsOf(
  context: Context,
  services: readonly string[],
): Promise<{ service: string; message: string }[]> {
  const answering = await firstAgent(context);
  if (answering === undefined) return [];
  const found: { service: string; message: string }[] = [];
  for (const service of services.slice(0, CONFLICTS_ASKED_MAX)) {
    const answer = await orNull(callApi(answering, { path: `/v1/services/${service}` }));
    if (answer === null) continue;
    const messages = list(answerOf(answer, "").data.conflicts).map(({ message }) => text(message));
    for (const message of new Set(messages)) found.push({ service, message });
  }
  return found;
}

async function firstAgent(context: Context) {
  const answers: ReadonlyMap<string, AgentAnswer> = await askAgents(context, "/v1/federation");
  const [name] = [...answers].find(([, answer]) => answer.kind === "answers") ?? [];
  return name === undefined ? undefined : context.agents[name];
}
