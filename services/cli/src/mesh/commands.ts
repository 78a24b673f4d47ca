/** Commands about the whole mesh: they stand at the top level. */
import type { Command } from "commander";
import { CATEGORY_NAMES, KUBE_CATEGORY_NAMES } from "../check/categories.ts";
import { AT_OPTION } from "../shell/moment.ts";
import { NAMESPACE_OPTION } from "../shell/names.ts";
import { addCommand, lazily } from "../shell/program.ts";

export function addMeshCommands(program: Command): void {
  addCommand(program, {
    usage: "status",
    summary: "every cluster, measured: lease, log, lag, gateway probes, state",
    options: [AT_OPTION],
    action: lazily(() => import("./status.ts")),
  });
  addCommand(program, {
    usage: "get <what>",
    summary: "list clusters, services, endpoints, links, identities or policies",
    options: [AT_OPTION, NAMESPACE_OPTION, ["--cluster <cluster>", "of this cluster alone"]],
    example: "hansa get endpoints -n shop --at 5m",
    action: lazily(() => import("./get.ts")),
  });
  const describe = program.command("describe").description("one object in full");
  addCommand(describe, {
    usage: "service <name>",
    summary: "exporters, ports, load, endpoints and policies of NS/NAME (or NAME -n NS)",
    options: [AT_OPTION, NAMESPACE_OPTION],
    example: "hansa describe service shop/pay",
    action: lazily(() => import("./describe.ts")),
  });
  const explain = addCommand(program, {
    usage: "explain [code]",
    summary: "what a code means; `explain route` and `explain access`: why a call goes where it goes",
    example: "hansa explain HSA4001",
    action: lazily(() => import("./explain-code.ts")),
  });
  addCommand(explain, {
    usage: "route <caller> <service>",
    summary: "where calls of CLUSTER/NS/WORKLOAD to SERVICE[.NS][:PORT] go, and which events made it so",
    options: [AT_OPTION, ["--zone <zone>", "the caller's zone (default: its workload's)"]],
    example: "hansa explain route eu/shop/web pay --at 5m",
    action: lazily(() => import("./explain-route.ts")),
  });
  addCommand(explain, {
    usage: "access <spiffe-id> <service>",
    summary: "may this identity call SERVICE[.NS]? By which rule? Exit status 79 where not",
    options: [AT_OPTION],
    example: "hansa explain access spiffe://eu.lab.hansa/ns/shop/sa/web pay",
    action: lazily(() => import("./explain-access.ts")),
  });
  addCommand(program, {
    usage: "events",
    summary: "the archive's events, newest last",
    options: [
      ["--follow", "go on with new ones as they are committed"],
      ["--source <cluster>", "of this cluster's log alone (or `hub`)"],
      ["--since <when>", "after an RFC 3339 time, a duration ago or a position"],
      ["--limit <n>", "at most so many (default 100); with --follow: end after so many"],
    ],
    action: lazily(() => import("./events.ts")),
  });
  const proxy = program.command("proxy").description("what Envoys were told");
  addCommand(proxy, {
    usage: "status [proxy]",
    summary: "per proxy and type: sent, acknowledged, refused; all, of CLUSTER, or of CLUSTER/PROXY",
    action: lazily(() => import("./proxy-status.ts")),
  });
  addCommand(proxy, {
    usage: "config <proxy>",
    summary: "names and versions of the resources offered to CLUSTER/PROXY",
    options: [["--type <type>", "clusters, endpoints, listeners, routes, secrets or policies"]],
    example: "hansa proxy config eu/gateway/gw --type listeners",
    action: lazily(() => import("./proxy-config.ts")),
  });
  addCommand(proxy, {
    usage: "diff <proxy>",
    summary: "what CLUSTER/PROXY is offered against what its Envoy has; exit status 79 where they differ",
    example: "hansa proxy diff eu/gateway/gw",
    action: lazily(() => import("./proxy-diff.ts")),
  });
  addCommand(program, {
    usage: "check",
    summary: "look for everything that is wrong; exit status 79 where something is",
    options: [
      [
        "--category <list>",
        `of ${CATEGORY_NAMES.join(", ")}; in Kubernetes ${KUBE_CATEGORY_NAMES.join(", ")} (comma-separated; default all)`,
      ],
    ],
    action: lazily(() => import("../check/check.ts")),
  });
  addCommand(program, {
    usage: "wait",
    summary: "wait until the Envoys of all importers have acknowledged a position",
    options: [
      ["--position <position>", "CLUSTER/LANE/EPOCH/SEQ, as writes print it"],
      ["--timeout <duration>", "exit status 75 after that", "60s"],
    ],
    example: "hansa wait --position us/sum/3/120",
    action: lazily(() => import("./wait.ts")),
  });
  addCommand(program, {
    usage: "want <source>",
    summary: "ask a source (a cluster, or hub) for a whole snapshot of its log",
    action: lazily(() => import("./want.ts")),
  });
}
