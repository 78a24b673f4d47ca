/** `hansa cluster …`: who is a member, and how one comes and goes. */
import type { Command } from "commander";
import { AT_OPTION } from "../shell/moment.ts";
import { addCommand, lazily, type OptionSpec } from "../shell/program.ts";

const TIMEOUT: OptionSpec = ["--timeout <duration>", "how long to wait for the effect everywhere", "60s"];
const VIA: OptionSpec = [
  "--via <cluster>",
  "let this cluster's agent carry the command (default: the hub, else any agent)",
];
const SIGNED: OptionSpec = ["--signed <file>", "a command in which operators' signatures were collected"];
const KEY = ["--key <file>", "operator key; may be repeated (default: the context's)"] as const;

export function addClusterCommands(program: Command): void {
  const cluster = program.command("cluster").description("members: join, drain, leave, evict");
  addCommand(cluster, {
    usage: "list",
    summary: "members with their state, and join tokens that wait",
    options: [AT_OPTION],
    action: lazily(() => import("./list.ts")),
  });
  addCommand(cluster, {
    usage: "token <name>",
    summary: "make a join token for a cluster: what it may export, from which addresses",
    options: [
      ["--region <region>", "its region (needed)"],
      ["--namespaces <list>", "namespaces that it may export, comma-separated; * for all", "*"],
      ["--cidrs <list>", "address ranges of its gateways and endpoints, comma-separated (needed)"],
      ["--zones <list>", "its zones, comma-separated (default: its region)"],
      [
        "--network <name>",
        "clusters of one network dial each other's endpoints directly (default: its own name)",
      ],
      ["--ttl <duration>", "how long the token can be used", "15m"],
    ],
    example: "hansa cluster token tokyo --region ap-northeast-1 --namespaces shop --cidrs 10.7.0.0/16",
    action: lazily(() => import("./token.ts")),
  });
  addCommand(cluster, {
    usage: "join",
    summary: "start agent and gateway on this machine, join, and verify a round trip through the data plane",
    options: [
      ["--token <token>", "join token (or HANSA_JOIN_TOKEN, which other users of the machine cannot see)"],
      [
        "--config <file>",
        "the agent's configuration; written from the flags below where it is not there",
        "agent.yaml",
      ],
      ["--address <ip>", "address of this machine at which other clusters reach its gateway"],
      ["--gateway-port <port>", "port of the gateway", "15443"],
      ["--region <region>", "as the token grants it"],
      ["--zones <list>", "zones, comma-separated (default: the region)"],
      ["--network <name>", "as the token grants it (default: the cluster's name)"],
      ["--cidrs <list>", "as the token grants them"],
      ["--nats <urls>", "NATS servers, comma-separated"],
      ["--source <file>", "the cluster's services (docs/file-source.md)", "services.yaml"],
      ["--data <dir>", "keys, outbox and snapshots", "hansa-data"],
      ["--timeout <duration>", "how long to wait for the round trip", "120s"],
    ],
    example: "hansa cluster join --token TOKEN --config agent.yaml",
    action: lazily(() => import("./join.ts")),
  });
  const byOrder = { lists: [KEY] };
  addCommand(cluster, {
    usage: "drain <name>",
    summary: "move all calls away from a cluster (operator-signed; works while the hub is down)",
    options: [VIA, SIGNED, TIMEOUT],
    ...byOrder,
    action: lazily(async () => ({ action: (await import("./order.ts")).orderAction("drain") })),
  });
  addCommand(cluster, {
    usage: "undrain <name>",
    summary: "let a drained cluster serve again",
    options: [VIA, SIGNED, TIMEOUT],
    ...byOrder,
    action: lazily(async () => ({ action: (await import("./order.ts")).orderAction("undrain") })),
  });
  addCommand(cluster, {
    usage: "evict <name>",
    summary:
      "expel a cluster, also one that cannot be reached (operator-signed; works while the hub is down)",
    options: [VIA, SIGNED, TIMEOUT],
    ...byOrder,
    action: lazily(async () => ({ action: (await import("./order.ts")).orderAction("evict") })),
  });
  addCommand(cluster, {
    usage: "leave <name>",
    summary: "drain a cluster, then end its membership",
    options: [["--no-drain", "leave at once: calls on their way may fail"], VIA, TIMEOUT],
    ...byOrder,
    action: lazily(() => import("./leave.ts")),
  });
}
