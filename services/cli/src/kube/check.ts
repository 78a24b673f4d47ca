/** Categories of `hansa check --context`: is the cluster, what is installed in it, and its agent as they have to be? Pure. */
import { AGENT_RULES } from "@hansa/kube";
import { KUBE_CATEGORY_NAMES, type KubeCategoryName } from "../check/categories.ts";
import { judgeSource } from "../check/judge-log.ts";
import { pathCheck, unknown } from "../check/judge-reach.ts";
import { type Category, type Check, fail, none, ok, warn } from "../check/report.ts";
import { type KubeFacts, rightText } from "./check-facts.ts";

/** The agent renews its Lease every few seconds. */
const LEASE_OLD_MS = 60_000;

const JUDGES: Readonly<Record<KubeCategoryName, (facts: KubeFacts) => Check[]>> = {
  "api-server": ({ server }) =>
    server.map(({ check, ok: holds, message }) =>
      holds
        ? ok(`the API server's ${check} is as needed`)
        : fail(`the API server's ${check} is as needed`, "HSA7040", message, "kubectl version"),
    ),
  kinds: ({ kindsMissing }) => [
    none(
      "the kinds of objects are served",
      kindsMissing,
      "HSA7005",
      "helm upgrade --install hansa-crds deploy/charts/hansa-crds",
    ),
  ],
  rights: ({ granted }) => [
    none(
      "the agent has every right that it needs",
      AGENT_RULES.flatMap(({ verbs, resource, group }) =>
        verbs.map((verb) => rightText(verb, resource, group)).filter((right) => !granted.has(right)),
      ),
      "HSA7003",
      "kubectl describe clusterrole hansa-agent",
    ),
  ],
  agent: judgeAgent,
  paths: ({ paths }) => [
    paths === undefined ? unknown("packets of full size pass") : pathCheck("the agent", paths),
  ],
  gateway: ({ gateway, context }) => [
    ["", gateway.configured].includes(gateway.service) || gateway.configured === ""
      ? ok("other clusters are told the address that the gateway has")
      : fail(
          "other clusters are told the address that the gateway has",
          "HSA4001",
          `the load balancer is ${gateway.service}, the agent tells ${gateway.configured}`,
          `hansa cluster join --context ${context} --address ${gateway.service}`,
        ),
    gateway.type === "LoadBalancer" && gateway.service === ""
      ? warn(
          "the load balancer has an address",
          "HSA1009",
          "its Service has none",
          "kubectl -n hansa-system describe service hansa-gateway",
        )
      : ok("the gateway can be reached from outside"),
  ],
};

function judgeAgent({ agent, says, lease }: KubeFacts): Check[] {
  const logs = "kubectl -n hansa-system logs hansa-agent-0 -c agent";
  const ready = "the agent's pod is ready";
  const answers = "the agent answers";
  const writes = "the agent is the cluster's writer";
  const checks = [agent.ready ? ok(ready) : fail(ready, "HSA1009", agent.reason, logs)];
  if (typeof says === "string") checks.push(fail(answers, "HSA1012", says, logs));
  else {
    checks.push(none(answers, says.notReady, "HSA1009", logs));
    checks.push(
      says.isWriter
        ? ok(writes)
        : warn(writes, "HSA1009", `the Lease is held by ${lease?.holder ?? "nobody"}`, logs),
      judgeSource("the agent", says.source),
    );
  }
  if (lease !== undefined && lease.ageMs > LEASE_OLD_MS)
    checks.push(
      warn(
        "the Lease is renewed",
        "HSA1009",
        `${lease.holder} renewed it ${Math.round(lease.ageMs / 1000)} s ago`,
        logs,
      ),
    );
  return checks;
}

export const kubeReport = (facts: KubeFacts, names: readonly string[]): Category[] =>
  KUBE_CATEGORY_NAMES.filter((name) => names.includes(name)).map((name) => ({
    name,
    checks: JUDGES[name](facts),
  }));
