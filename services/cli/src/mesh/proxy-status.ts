/** `hansa proxy status [CLUSTER[/PROXY]]`: per proxy and type what was sent, acknowledged, refused. */
import { CODES, HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { answerOf, isSilent, list, READ_TIMEOUT_MS } from "../shell/api.ts";
import { agentOf, type Context } from "../shell/context.ts";
import { clusterName } from "../shell/names.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { PROXY_HEADINGS, type ProxyItem, proxyRows, readProxy } from "./proxies.ts";

export const action: Action = async (shell, [which]) => {
  const { cluster, proxy } =
    which === undefined ? { cluster: undefined, proxy: undefined } : parseProxy(which);
  const context = shell.context();
  const clusters = cluster === undefined ? Object.keys(context.agents) : [cluster];
  const found = (
    await Promise.all(clusters.map((name) => proxiesOf(context, name, cluster !== undefined)))
  ).flat();
  const items =
    proxy === undefined ? found : found.filter(({ id }) => id === proxy || id.startsWith(`${proxy}/`));
  if (proxy !== undefined && items.length === 0)
    throw new HansaError(
      "HSA1005",
      `${which}: ${cluster}'s agent serves no such proxy; it serves ${found.map(({ id }) => id).join(", ") || "none"}`,
    );
  const refused = items.some(({ types }) => types.some(({ nack }) => nack !== null));
  const nowMs = Date.now();
  return {
    kind: "ProxyList",
    data: { items },
    text: () =>
      table(
        PROXY_HEADINGS,
        items.flatMap((item) => proxyRows(item, nowMs)),
      ),
    status: refused ? CODES.HSA5001.exit : 0,
  };
};

/** `eu`, `eu/shop/web/web-1`, `eu/gateway/gw`. */
export function parseProxy(text: string): { cluster: string; proxy: string | undefined } {
  const slash = text.indexOf("/");
  if (slash < 0) return { cluster: clusterName(text), proxy: undefined };
  const proxy = text.slice(slash + 1);
  if (!/^[a-z0-9][a-zA-Z0-9._-]*(\/[a-zA-Z0-9][a-zA-Z0-9._-]*){0,2}$/.test(proxy))
    throw new HansaError(
      "HSA1001",
      `${text}: must be CLUSTER, CLUSTER/NS/WORKLOAD/REPLICA or CLUSTER/gateway/NAME`,
    );
  return { cluster: clusterName(text.slice(0, slash)), proxy };
}

/** `parseProxy` where one proxy must be named. */
export function oneProxy(text: string): { cluster: string; proxy: string } {
  const { cluster, proxy } = parseProxy(text);
  if (proxy === undefined)
    throw new HansaError("HSA1001", `${text}: which proxy? See \`hansa proxy status ${cluster}\``);
  return { cluster, proxy };
}

/** An agent that is silent is an error where it was asked for by name, a note otherwise. */
async function proxiesOf(context: Context, cluster: string, named: boolean): Promise<ProxyItem[]> {
  try {
    const answer = await callApi(agentOf(context, cluster), {
      path: "/v1/proxies",
      timeoutMs: READ_TIMEOUT_MS,
    });
    return list(answerOf(answer, cluster).data.items).map((raw) => readProxy(cluster, raw));
  } catch (error) {
    if (named || !isSilent(error)) throw error;
    say(`note: ${cluster}'s agent does not answer (${error.code})`);
    return [];
  }
}
