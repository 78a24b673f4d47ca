/** What `/v1/status` says of an agent, in one place. */
import { LANES } from "@hansa/events";
import { exportProblems } from "@hansa/model";
import { HUB_SILENT_MS } from "../core.ts";
import type { AgentView } from "./agent-view.ts";

export function statusOf(agent: AgentView): Record<string, unknown> {
  const { core, plane, cluster, outbox } = agent;
  const notReady = agent.notReady();
  return {
    cluster,
    federation: core.fed.options.genesis.federation,
    fingerprint: core.fingerprint,
    trustDomain: agent.trustDomain,
    ready: notReady.length === 0,
    notReady,
    bus: { up: core.busUp, refusal: core.busRefusal },
    hub: {
      heard: core.hubSilentMs < HUB_SILENT_MS,
      silentMs: Number.isFinite(core.hubSilentMs) ? Math.round(core.hubSilentMs) : null,
    },
    writer: {
      elected: core.own.elected,
      synced: core.own.isSynced,
      lanes: LANES.map((lane) => ({
        lane,
        mode: core.own.mode(lane),
        position: core.own.position(lane) ?? null,
        pending: core.own.pending(lane),
      })),
      outbox: outbox.depth(),
      outboxOverflowed: outbox.overflowed(),
    },
    follower: {
      synced: core.follower.synced,
      cursor: core.follower.cursors().highest,
      restored: core.restored,
    },
    heads: core.fed.heads(),
    acked: plane.propagation.acked,
    digest: core.fed.digest(),
    links: core.watch.peers().map((peer) => ({ peer, ...core.watch.link(peer) })),
    selfDoubt: core.watch.doubt(),
    alarms: core.watch.alarms(),
    findings: core.fed.findings(),
    source: agent.source.status,
    undialable: agent.undialable(),
    exportProblems: exportProblems(core.reader, cluster),
    certificates: {
      ca: { notAfterMs: agent.authority.notAfterMs },
      svids: agent.svids.list(),
    },
    proxies: {
      total: plane.list().length,
      connected: plane.list().filter(({ id }) => connected(plane.status(id))).length,
      nacked: plane
        .list()
        .filter(({ id }) => nacked(plane.status(id)))
        .map(({ id }) => id),
    },
    tcpPorts: Object.fromEntries(plane.tcpPorts.all()),
  };
}

const connected = (status: unknown): boolean =>
  ((status as { streams?: number } | undefined)?.streams ?? 0) > 0;
const nacked = (status: unknown): boolean =>
  ((status as { types?: readonly { nack?: unknown }[] } | undefined)?.types ?? []).some(
    ({ nack }) => nack !== undefined,
  );
