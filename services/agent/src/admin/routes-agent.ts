/** The agent itself: health, metrics, its proxies, and the few things it may be told to do. */
import { HansaError, isLabel, SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import { type BundleValue, type CommandValue, commandKey, verifyCommand } from "@hansa/events";
import { nodeCrypto, rootsPem } from "@hansa/identity";
import { envoyBootstrap, PUSH_ORDER, shortType } from "@hansa/xds";
import { z } from "zod";
import { adminPlaceOf } from "../proxy/admin-place.ts";
import type { LocalProxy } from "../proxy/inventory.ts";
import type { AgentView } from "./agent-view.ts";
import { type Asked, envelope, Plain, type Route } from "./server.ts";
import { statusOf } from "./status.ts";

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
  socket: agent.sockets.path(proxy.id),
  xds: agent.plane.status(proxy.id),
});

function proxyDetail(agent: AgentView, proxy: LocalProxy): Record<string, unknown> {
  const item = { ...proxyItem(agent, proxy), tcpPorts: Object.fromEntries(agent.plane.tcpPorts.all()) };
  return { ...envelope("Proxy", item), tcpPorts: item.tcpPorts };
}

/** Names and versions of everything that the proxy is offered; contents are in Envoy's own /config_dump. */
function proxyConfig(agent: AgentView, proxy: LocalProxy): unknown {
  const layers = agent.plane.layersOf(proxy.id);
  const types = PUSH_ORDER.map((typeUrl) => {
    const names = [...new Set(layers.flatMap((layer) => [...layer.names(typeUrl)]))].sort();
    const resources = names.map((name) => {
      const entry = layers.map((layer) => layer.get(typeUrl, name)).find((found) => found !== undefined);
      return { name, version: entry?.version ?? "", sizeBytes: entry?.message.length ?? 0 };
    });
    return { typeUrl, type: shortType(typeUrl), resources };
  });
  return { id: proxy.id, types, tcpPorts: Object.fromEntries(agent.plane.tcpPorts.all()) };
}

function bootstrap(agent: AgentView, proxy: LocalProxy): unknown {
  const { config } = agent;
  return envoyBootstrap({
    nodeId: proxy.id,
    cluster: config.cluster,
    adsSocketPath: agent.sockets.path(proxy.id),
    admin: adminPlaceOf(proxy, agent.sockets, config.sidecar.adminPort),
    locality: { region: config.region, zone: proxy.zone },
  });
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
    { method: "GET", path: "/v1/proxies/:id/bootstrap", role: "viewer", answer: one(bootstrap) },
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
