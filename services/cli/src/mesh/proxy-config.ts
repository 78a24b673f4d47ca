/** `hansa proxy config CLUSTER/PROXY`: names and versions of what the agent offers one proxy. No contents, so no keys. */
import { HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { answerOf, list, number, text } from "../shell/api.ts";
import { agentOf } from "../shell/context.ts";
import { table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { shortType } from "./proxies.ts";
import { oneProxy } from "./proxy-status.ts";

/** What people type → type URL's last label. */
const TYPES: Readonly<Record<string, string>> = {
  clusters: "Cluster",
  endpoints: "ClusterLoadAssignment",
  listeners: "Listener",
  routes: "RouteConfiguration",
  secrets: "Secret",
  policies: "TypedExtensionConfig",
};

export const action: Action = async (shell, [which = ""], options) => {
  const { cluster, proxy } = oneProxy(which);
  const wanted = options.type === undefined ? undefined : TYPES[String(options.type)];
  if (options.type !== undefined && wanted === undefined)
    throw new HansaError(
      "HSA1001",
      `--type ${String(options.type)}: must be one of ${Object.keys(TYPES).join(", ")}`,
    );
  const answer = await callApi(agentOf(shell.context(), cluster), {
    path: `/v1/proxies/${encodeURIComponent(proxy)}/config`,
  });
  const resources = list(answerOf(answer, cluster).data.types)
    .flatMap(({ typeUrl, resources: offered }) =>
      list(offered).map(({ name, version, sizeBytes }) => ({
        type: shortType(text(typeUrl)),
        name: text(name),
        version: text(version),
        sizeBytes: number(sizeBytes),
      })),
    )
    .filter(({ type }) => wanted === undefined || type === wanted);
  return {
    kind: "ProxyConfig",
    data: { cluster, proxy, resources },
    text: () =>
      table(
        ["TYPE", "NAME", "VERSION", "BYTES"],
        resources.map(({ type, name, version, sizeBytes }) => [type, name, version.slice(0, 16), sizeBytes]),
      ),
  };
};
