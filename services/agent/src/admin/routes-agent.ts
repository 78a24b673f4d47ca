/** The agent itself: health, metrics, its proxies, and the few things it may be told to do. */
import { HansaError, isLabel, SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import { type BundleValue, type CommandValue, commandKey, verifyCommand } from "@hansa/events";
import { nodeCrypto, rootsPem } from "@hansa/identity";
import { PUSH_ORDER, shortType } from "@hansa/xds";
import { z } from "zod";
import { envoyPlaceOf } from "../proxy/admin-place.ts";
import { bootstrapOf } from "../proxy/bootstrap.ts";
import { differencesOf, type Offered } from "../proxy/difference.ts";
import { askEnvoy } from "../proxy/envoy-admin.ts";
import type { LocalProxy } from "../proxy/inventory.ts";
import type { AgentView } from "./agent-view.ts";
import { type Asked, envelope, Plain, type Route } from "./server.ts";
import { statusOf } from "./status.ts";

/** 100 000 endpoints take about 60 MB of Envoy's JSON. */
const DUMP_LIMITS = { timeoutMs: 5000, answerBytesMax: 64 * 1024 * 1024 };

const commandBody = z.strictObject({
  payload: z.string().max(65_536),
  signatures: z.array(z.strictObject({ key: z.string(), sig: z.string() })).max(16),
});
const wantBody = z.strictObject({ source: z.string().min(1) });
const svidBody = z.strictObject({
  namespace: z
    .string()
    .refine((name) => isLabel(name) && name !== SYSTEM_NAMESPACE, "must be a namespace of workloads"),
  serviceAccount: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "must be a service account name"),
});

function proxyOf(agent: AgentView, { params }: Asked): LocalProxy {
  const proxy = agent.plane.get(params.id ?? "");
  if (proxy === undefined)
    throw new HansaError("HSA1005", `proxy ${params.id}: not of this agent; GET /v1/proxies lists them`);
  return proxy;
}

const proxyItem = (agent: AgentView, proxy: LocalProxy): Record<string, unknown> => ({
  id: proxy.id,
  kind: proxy.kind,
  spiffeId: proxy.spiffeId,
  address: proxy.address,
  zone: proxy.zone,
  ...(proxy.kind === "sidecar" && proxy.inbound !== undefined ? { inbound: proxy.inbound } : {}),
  socket: agent.sockets.path(proxy.id),
  xds: agent.plane.status(proxy.id),
});

function proxyDetail(agent: AgentView, proxy: LocalProxy): Record<string, unknown> {
  const item = { ...proxyItem(agent, proxy), tcpPorts: Object.fromEntries(agent.plane.tcpPorts.all()) };
  return { ...envelope("Proxy", item), tcpPorts: item.tcpPorts };
}

/** Everything that the proxy is offered, one entry a name: the first layer that has it wins. */
function offeredTo(agent: AgentView, proxy: LocalProxy): Offered[] {
  const layers = agent.plane.layersOf(proxy.id);
  return PUSH_ORDER.flatMap((typeUrl) => {
    const names = [...new Set(layers.flatMap((layer) => [...layer.names(typeUrl)]))].sort();
    return names.flatMap((name) => {
      const entry = layers.map((layer) => layer.get(typeUrl, name)).find((found) => found !== undefined);
      return entry === undefined ? [] : { typeUrl, name, version: entry.version, message: entry.message };
    });
  });
}

/** Names and versions; contents are in Envoy's own /config_dump. */
function proxyConfig(agent: AgentView, proxy: LocalProxy): unknown {
  const offered = offeredTo(agent, proxy);
  const types = PUSH_ORDER.map((typeUrl) => ({
    typeUrl,
    type: shortType(typeUrl),
    resources: offered
      .filter((each) => each.typeUrl === typeUrl)
      .map(({ name, version, message }) => ({ name, version, sizeBytes: message.length })),
  }));
  return { id: proxy.id, types, tcpPorts: Object.fromEntries(agent.plane.tcpPorts.all()) };
}

/** What is offered against what Envoy has, both as of now: a change on its way shows as a difference. */
async function proxyDifference(agent: AgentView, proxy: LocalProxy): Promise<unknown> {
  const place = envoyPlaceOf(proxy, agent);
  const dump = place === undefined ? null : await askEnvoy(place, "/config_dump?include_eds", DUMP_LIMITS);
  if (dump === null)
    throw new HansaError("HSA1012", `proxy ${proxy.id}: its Envoy does not answer on its admin interface`);
  return { id: proxy.id, ...differencesOf(offeredTo(agent, proxy), dump) };
}

/** Checked before it enters the log: the fold would refuse it anyway, but the caller should know. */
function takeCommand(agent: AgentView, body: unknown, actor: string): unknown {
  const value: CommandValue = commandBody.parse(body);
  const { core } = agent;
  const verdict = verifyCommand(value, core.fed.operators(), core.fingerprint, nodeCrypto);
  if (verdict.kind === "problem") throw new HansaError(verdict.code, verdict.message);
  core.put("CommandSet", commandKey(verdict.payload.id), value);
  agent.ports.log.info("command: taken into the log", {
    id: verdict.payload.id,
    order: verdict.payload.order.do,
    actor,
  });
  const next = core.own.position("sum");
  const position = next === undefined ? null : `${agent.cluster}/sum/${next.epoch}/${next.seq}`;
  return envelope("Command", {
    id: verdict.payload.id,
    hash: verdict.hash,
    order: verdict.payload.order,
    position,
  });
}

function issueSvid(agent: AgentView, body: unknown, actor: string): unknown {
  const { namespace, serviceAccount } = svidBody.parse(body);
  const id = workloadId(agent.trustDomain, namespace, serviceAccount);
  const svid = agent.svids.issueOnce(id);
  agent.ports.log.info("identity: an SVID was issued to an outside tool", { id, actor });
  const bundles: Record<string, string> = { [agent.trustDomain]: rootsPem(agent.bundle()) };
  for (const member of agent.core.fed.members()) {
    const bundle = agent.core.fed.effective(member.cluster, "bundle")?.value as BundleValue | undefined;
    if (bundle !== undefined && member.cluster !== agent.cluster)
      bundles[member.trustDomain] = rootsPem(bundle);
  }
  const { certPem, keyPem, notAfterMs } = svid;
  return { ...envelope("Svid", null), spiffeId: id, certPem, keyPem, notAfterMs, bundles };
}

function want(agent: AgentView, body: unknown): unknown {
  const { source } = wantBody.parse(body);
  if (agent.core.fed.sourceByCluster(source) === undefined)
    throw new HansaError("HSA1005", `source ${source}: not known in this federation`);
  if (source === agent.cluster) agent.core.own.wanted();
  else agent.core.want(source);
  return envelope("Want", { source });
}

export function agentRoutes(agent: AgentView): Route[] {
  const ready = (): Plain => {
    const reasons = agent.notReady();
    const body = { apiVersion: "hansa/v1", kind: "Readiness", ready: reasons.length === 0, reasons };
    return new Plain("application/json", JSON.stringify(body), reasons.length === 0 ? 200 : 503);
  };
  const one =
    (answer: (agent: AgentView, proxy: LocalProxy) => unknown) =>
    (asked: Asked): unknown =>
      answer(agent, proxyOf(agent, asked));
  return [
    {
      method: "GET",
      path: "/livez",
      role: "none",
      answer: () => ({ apiVersion: "hansa/v1", kind: "Liveness", alive: true }),
    },
    { method: "GET", path: "/readyz", role: "none", answer: ready },
    {
      method: "GET",
      path: "/metrics",
      role: "viewer",
      answer: async () => new Plain(agent.metrics.contentType, await agent.metrics.text()),
    },
    {
      method: "GET",
      path: "/v1/status",
      role: "viewer",
      answer: () => envelope("AgentStatus", statusOf(agent)),
    },
    {
      method: "GET",
      path: "/v1/proxies",
      role: "viewer",
      answer: () =>
        envelope("ProxyList", {
          items: agent.plane.list().map((proxy) => proxyItem(agent, proxy)),
          next: null,
        }),
    },
    { method: "GET", path: "/v1/proxies/:id", role: "viewer", answer: one(proxyDetail) },
    {
      method: "GET",
      path: "/v1/proxies/:id/config",
      role: "viewer",
      answer: one((...args) => envelope("ProxyConfig", proxyConfig(...args))),
    },
    {
      method: "GET",
      path: "/v1/proxies/:id/difference",
      role: "viewer",
      answer: async (asked) =>
        envelope("ProxyDifference", await proxyDifference(agent, proxyOf(agent, asked))),
    },
    { method: "GET", path: "/v1/proxies/:id/bootstrap", role: "viewer", answer: one(bootstrapOf) },
    {
      method: "POST",
      path: "/v1/commands",
      role: "operator",
      answer: ({ body, actor }) => takeCommand(agent, body, actor.name),
    },
    { method: "POST", path: "/v1/want", role: "operator", answer: ({ body }) => want(agent, body) },
    {
      method: "POST",
      path: "/v1/svid",
      role: "operator",
      answer: ({ body, actor }) => issueSvid(agent, body, actor.name),
    },
  ];
}
