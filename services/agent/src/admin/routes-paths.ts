/** Whether this agent's ways to hub, NATS and other clusters' gateways carry packets of full size. Asked for, never by itself. */
import { type PathTarget, pathTo, probePath } from "@hansa/identity";
import { gatewaysOf } from "../liveness/gateway-prober.ts";
import type { AgentView } from "./agent-view.ts";
import { envelope, type Route } from "./server.ts";

/** Ways looked at in one answer; gateways beyond them are left out. */
export const PATHS_MAX = 64;
const TIMEOUT_MS = 1500;
/** Whoever asks meanwhile gets the same answer. */
const KEPT_MS = 10_000;

interface Way extends Omit<PathTarget, "timeoutMs"> {
  /** `hub`, `nats`, or a cluster. */
  readonly to: string;
}

export function pathRoutes(agent: AgentView): Route[] {
  const { clock, timers } = agent.ports;
  let known: { readonly atMs: number; readonly items: Promise<unknown[]> } | undefined;
  const look = (): Promise<unknown[]> =>
    Promise.all(
      waysOf(agent).map(async ({ to, ...way }) => {
        const { kind, ...more } = await probePath({ ...way, timeoutMs: TIMEOUT_MS }, timers);
        return { to, host: way.host, port: way.port, result: kind, ...more };
      }),
    );
  return [
    {
      method: "GET",
      path: "/v1/paths",
      role: "viewer",
      answer: async () => {
        const nowMs = clock.monotonicMs();
        if (known === undefined || nowMs - known.atMs >= KEPT_MS) known = { atMs: nowMs, items: look() };
        return envelope("PathList", { items: await known.items, next: null });
      },
    },
  ];
}

function waysOf({ config, core, cluster }: AgentView): Way[] {
  const peers = core.fed
    .members()
    .filter(
      (member) => member.cluster !== cluster && (member.state === "active" || member.state === "draining"),
    )
    .flatMap((member) =>
      gatewaysOf(core.fed, member.cluster).map(
        ({ address, port }): Way => ({ to: member.cluster, host: address, port, speaks: "tls" }),
      ),
    );
  return [
    { to: "hub", ...pathTo(config.hub.url) },
    ...config.nats.servers.map((server) => ({ to: "nats", ...pathTo(server) })),
    ...peers,
  ].slice(0, PATHS_MAX);
}
