/** `hansa cluster …`: who is a member, and how one comes and goes. */
import type { Command } from "commander";
import { isKubeContext } from "../kube/names.ts";
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
    summary:
      "start agent and gateway here, or install them in the cluster of --context; join, and verify a round trip",
    takesKubernetes: true,
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
      ["--hub <url>", "in Kubernetes: where this cluster reaches the hub (default: as the token says)"],
      ["--dry-run", "in Kubernetes: print the manifests and change nothing"],
      [
        "--service <type>",
        "in Kubernetes: the gateway's LoadBalancer, NodePort or ClusterIP",
        "LoadBalancer",
      ],
      ["--cluster-set-ips <cidrs>", "in Kubernetes: addresses of imported services (default: 198.18.0.0/16)"],
      [
        "--gateway-mode <on|off>",
        "in Kubernetes: pods without a sidecar call and are called through the gateway (default: off)",
      ],
      [
        "--neighbour-cidrs <cidrs>",
        "in Kubernetes: this cluster's pods and nodes, whose plain text permissive sidecars take (default: nobody's)",
      ],
      ["--endpoint-slices <which>", "in Kubernetes: for all, headless or none of the imports (default: all)"],
      ["--patch-dns", "in Kubernetes: let CoreDNS forward clusterset.local to the agent"],
      ["--storage-class <name>", "in Kubernetes: for the agent's keys (default: the cluster's)"],
      ["--ephemeral", "in Kubernetes, for trials: keep the keys on the pod's own disk and lose them with it"],
      ["--agent-image <image>", "in Kubernetes: REPOSITORY[:TAG][@DIGEST]"],
      ["--gateway-image <image>", "in Kubernetes: an Envoy, likewise"],
    ],
    example:
      "hansa cluster join --context eu --token TOKEN --region r1 --cidrs 10.7.0.0/16 --nats nats://n:4222",
    action: async (shell, args, options) => {
      const { action } = isKubeContext(options.context)
        ? await import("../kube/join.ts")
        : await import("./join.ts");
      return action(shell, args, options);
    },
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
    usage: "leave [name]",
    summary: "drain a cluster, end its membership, and remove it from the cluster of --context",
    options: [
      ["--no-drain", "leave at once: calls on their way may fail"],
      ["--purge", "in Kubernetes: remove the agent's keys too; the name cannot come back without them"],
      VIA,
      TIMEOUT,
    ],
    ...byOrder,
    takesKubernetes: true,
    action: async (shell, args, options) => {
      const { action } = isKubeContext(options.context)
        ? await import("../kube/leave.ts")
        : await import("./leave.ts");
      return action(shell, args, options);
    },
  });
}
