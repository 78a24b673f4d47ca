/**
 * What charts and manifests take from the code, and manifests from the charts. Checked in, so that an installation needs none of
 * this; test/kube/charts.spec.ts tells where it is out of date. `node deploy/tools/generate.ts` writes it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ADMIN_PORT, IDENTITY_PATH, probeConfig, ROOTS_FILE } from "@hansa/inject";
import { AGENT_RULES, type Rule } from "@hansa/kube";
import { envoyArguments, envoyBootstrap } from "@hansa/xds";
import { parse } from "yaml";
import { chartFolder, manifests, render, type Values } from "./helm/helm.ts";
import { root } from "./paths.mjs";

const FILES = "deploy/charts/hansa-agent/files";
const GATEWAY_DRAIN_S = 60;

/** RBAC rules, each with its reason. */
export const rulesYaml = (rules: readonly Rule[]): string =>
  rules
    .map(({ group, resource, verbs, names, why }) => {
      const named = names === undefined ? "" : `, resourceNames: [${names.join(", ")}]`;
      return `# ${why}\n- { apiGroups: ["${group}"], resources: [${resource}]${named}, verbs: [${verbs.join(", ")}] }\n`;
    })
    .join("");

const node = {
  nodeId: "gateway/@GATEWAY@",
  cluster: "@CLUSTER@",
  locality: { region: "@REGION@", zone: "@ZONE@" },
};

/** Beside its agent, by the socket that the agent makes for it. */
const gatewayBeside = (): object => {
  const socket = (kind: string): string => `/run/hansa/sockets/@SOCKET@.${kind}`;
  return envoyBootstrap({ ...node, adsSocketPath: socket("sock"), admin: { path: socket("admin") } });
};

/** In pods of its own, by TLS and the pod's token, as sidecars come. */
const gatewayInPods = (): object =>
  envoyBootstrap({
    ...node,
    agent: {
      host: "hansa-sidecars.@NAMESPACE@.svc",
      port: 15_012,
      directory: IDENTITY_PATH,
      rootsFile: ROOTS_FILE,
      tokenFile: "token",
    },
    admin: { address: "127.0.0.1", port: ADMIN_PORT },
    static: probeConfig([], ""),
  });

/**
 * Load balancers have stopped by the end of the first sleep. Envoy takes a drain by POST alone, and a hook of a kubelet asks by GET;
 * what it passes on unread is drained by its two ends, which are given the rest of the time.
 */
const DRAIN = `sleep 10; exec 3<>/dev/tcp/127.0.0.1/${ADMIN_PORT}; printf 'POST /drain_listeners?graceful&skip_exit HTTP/1.1\\r\\nhost: admin\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3 >/dev/null; sleep 45`;

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

const argumentsJson = (): string =>
  `${JSON.stringify(envoyArguments({ bootstrapPath: "/etc/hansa/gateway.json", drainSeconds: GATEWAY_DRAIN_S }))}\n`;

const own = (rule: Rule): boolean => rule.scope === "own";

/** What the chart reads, by path from the root. */
export const chartParts = (): Readonly<Record<string, string>> => ({
  [`${FILES}/rules-cluster.yaml`]: rulesYaml(AGENT_RULES.filter((rule) => !own(rule))),
  [`${FILES}/rules-own.yaml`]: rulesYaml(AGENT_RULES.filter(own)),
  [`${FILES}/envoy-arguments.json`]: argumentsJson(),
  [`${FILES}/gateway-beside.json`]: json(gatewayBeside()),
  [`${FILES}/gateway-in-pods.json`]: json(gatewayInPods()),
  [`${FILES}/gateway-drain.json`]: `${JSON.stringify(["bash", "-c", DRAIN])}\n`,
});

export const valuesOf = (chart: string, name: string): Values =>
  parse(readFileSync(join(chartFolder(chart), "values", `${name}.yaml`), "utf8")) as Values;

const HEAD = `# The chart hansa-agent as values/minimal.yaml renders it (node deploy/tools/generate.ts). Base for kustomize and for
# \`hansa cluster join\`, which put a cluster's own name, addresses and images in its place.
`;

/** The chart's output: the parts above have to be written before. */
export const base = (): Readonly<Record<string, string>> => {
  const [rendered] = render("hansa-agent", [valuesOf("hansa-agent", "minimal")]);
  if (rendered === undefined) throw new Error("hansa-agent: rendered nothing");
  return { "deploy/kube/agent.yaml": `${HEAD}${manifests(rendered)}` };
};

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

if (import.meta.main) {
  write(chartParts());
  write(base());
}
