/**
 * Runs a built official conformance suite of the MCS API (sigs.k8s.io/mcs-api, folder conformance, `go test -c`) against
 * clusters with real API servers, nodes and agents: `node test/kube/official-suite.ts BINARY [LABEL FILTER]`. Its exit
 * status is the suite's. DNS and Connectivity need more than this starts: a way from pods to the agents.
 */
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { kinds } from "../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { AgentRig, type Name } from "../contract/agent-rig.ts";

const CLUSTERS: readonly Name[] = ["eu", "us"];

async function startAgents(kube: Kube, agents: AgentRig): Promise<void> {
  for (const [index, name] of CLUSTERS.entries()) {
    await kube.cluster(name).apply(kinds());
    // The suite makes a namespace for each spec; pods are where the lab puts them (README.md).
    const namespaces = ["*"];
    const cidrs = [`127.${agents.octet}.${index + 1}.0/24`, `10.${64 + index}.0.0/16`];
    const kubernetes = {
      kubeconfig: kube.kubeconfig,
      context: name,
      clusterSetIps: [`10.25${index}.0.0/16`],
      leaseNamespace: "default",
    };
    const token = await agents.joinToken(name, { cidrs, namespaces });
    agents.configure(name, token, { cidrs, namespaces, source: { kubernetes } });
  }
  await Promise.all(CLUSTERS.map((name) => agents.agent(name)));
}

async function runSuite(binary: string, filter: string, kubeconfig: string): Promise<number> {
  const where = [`-contexts=${CLUSTERS.join(",")}`, `-kubeconfig=${kubeconfig}`];
  const child = spawn(binary, [...where, `--ginkgo.label-filter=${filter}`, "--ginkgo.v"], {
    stdio: "inherit",
    // It writes its reports where it stands.
    cwd: tmpdir(),
  });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

const [binary, filter = "!DNS && !Connectivity"] = process.argv.slice(2);
if (binary === undefined) throw new Error("usage: official-suite.ts BINARY [LABEL FILTER]");
const kube = await startKube({ clusters: CLUSTERS, nodes: { perCluster: 1 } });
const agents = await AgentRig.start();
try {
  await startAgents(kube, agents);
  process.exitCode = await runSuite(binary, filter, kube.kubeconfig);
} finally {
  await agents.stop();
  await kube.close();
}
