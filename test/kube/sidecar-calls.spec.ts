/** Pods with sidecars that a real webhook injected, configured by a real agent: who reaches whom, by which address. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { kinds } from "../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { AgentRig } from "../contract/agent-rig.ts";

const POOL = "10.251.0.0/16";
const [ADS, HOOK] = [15_010, 15_017];
let agents: AgentRig;
let kube: Kube;
let eu: KubeCluster;
let vip: string;

beforeAll(async () => {
  agents = await AgentRig.start();
  const host = `127.${agents.octet}.9.1`;
  kube = await startKube({
    clusters: ["eu"],
    nodes: { forwards: [{ port: ADS, to: `${host}:${ADS}` }] },
  });
  eu = kube.cluster("eu");
  await eu.apply(kinds());
  const { nodeIp, podCidr } = eu.options.plan;
  const cidrs = [`127.${agents.octet}.1.0/24`, podCidr];
  const token = await agents.joinToken("eu", { cidrs });
  const sidecars = {
    host: nodeIp,
    listen: { host, port: ADS },
    webhook: { host, port: HOOK, advertised: host },
    proxyImage: "envoyproxy/envoy:v1.40.0",
    rulesImage: "hansa:lab",
  };
  agents.configure("eu", token, {
    cidrs,
    source: {
      kubernetes: {
        kubeconfig: kube.kubeconfig,
        context: "eu",
        clusterSetIps: [POOL],
        leaseNamespace: "default",
        sidecars,
      },
    },
  });
  await agents.agent("eu");
  await apply({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop", labels: { "hansa.dev/inject": "enabled" } },
  });
  const hook = ["get", "mutatingwebhookconfiguration/hansa-sidecars"];
  await vi.waitUntil(async () => (await eu.kubectl.run(hook)).code === 0, { timeout: 20_000 });
  await apply(
    pod("shop", "pay", {
      image: "echo",
      readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
    }),
    pod("shop", "client", SHELL),
    pod("default", "outsider", SHELL),
    pod("default", "plain", { image: "echo" }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "pay", namespace: "shop" },
      spec: {
        selector: { app: "pay" },
        ports: [
          { name: "http", port: 80, targetPort: 8080 },
          { name: "tcp-raw", port: 81, targetPort: 8080 },
        ],
      },
    },
    {
      apiVersion: "multicluster.x-k8s.io/v1beta1",
      kind: "ServiceExport",
      metadata: { name: "pay", namespace: "shop" },
    },
  );
  for (const [namespace, name] of [
    ["shop", "pay"],
    ["shop", "client"],
    ["default", "outsider"],
    ["default", "plain"],
  ])
    await eu.kubectl.ok(["-n", namespace!, "wait", `pod/${name}`, "--for=condition=Ready", "--timeout=28s"]);
  await vi.waitUntil(
    async () => {
      vip = await importIp();
      return vip !== "";
    },
    { timeout: 15_000 },
  );
}, 150_000);
afterAll(async () => {
  await kube?.close();
  await agents?.stop();
});

const apply = (...objects: readonly object[]): Promise<void> =>
  eu.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
const SHELL = { image: "busybox", command: ["sleep", "3600"] };
const pod = (namespace: string, name: string, container: object): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app: name } },
  spec: { containers: [{ name: "app", ...container }], terminationGracePeriodSeconds: 3 },
});

interface Said {
  readonly code: number | null;
  readonly text: string;
}

async function curl(namespace: string, from: string, url: string, ...more: string[]): Promise<Said> {
  const asked = ["-n", namespace, "exec", from, "-c", "app", "--", "curl", "-sS", "-m", "5", ...more, url];
  const { code, stdout, stderr } = await eu.kubectl.run(asked, { timeoutMs: 15_000 });
  return { code, text: stdout + stderr };
}
const ipOf = (namespace: string, name: string): Promise<string> =>
  eu.kubectl.ok(["-n", namespace, "get", `pod/${name}`, "-o", "jsonpath={.status.podIP}"]);

describe("a pod with a sidecar", () => {
  it("reaches a service by its cluster-set address, HTTP and TCP, over mTLS", async () => {
    await expect
      .poll(async () => (await curl("shop", "client", `http://${vip}/`)).text, { timeout: 20_000 })
      .toContain('"pod":"pay"');
    // The caller's identity, as the server's proxy has verified it.
    expect((await curl("shop", "client", `http://${vip}/`)).text).toMatch(
      /"X-Forwarded-Client-Cert":\["[^"]*URI=spiffe:\/\/eu\.[a-z.]+\/ns\/shop\/sa\/default"/,
    );
    expect((await curl("shop", "client", `http://${vip}/`, "-H", "host: anything.example")).text).toContain(
      '"pod":"pay"',
    );
    expect((await curl("shop", "client", `http://${vip}:81/`)).text).toContain('"pod":"pay"');
  });

  it("reaches what the mesh does not know as before, and addresses that stand for nothing not at all", async () => {
    expect((await curl("shop", "client", `http://${await ipOf("default", "plain")}:8080/`)).text).toContain(
      '"pod":"plain"',
    );
    expect((await curl("shop", "client", "http://10.251.255.254/")).code).not.toBe(0);
    expect((await curl("shop", "client", `http://${await ipOf("shop", "client")}:15001/`)).code).not.toBe(0);
  });
});

describe("a pod without one", () => {
  it("does not reach past a sidecar what the mesh serves, by any port", async () => {
    const other = await ipOf("default", "plain");
    expect((await curl("default", "outsider", `http://${other}:8080/`)).text).toContain('"pod":"plain"');
    const ip = await ipOf("shop", "pay");
    for (const port of [8080, 15_006, 15_001, 15_000])
      expect((await curl("default", "outsider", `http://${ip}:${port}/`)).text).not.toContain('"pod"');
  });
});

async function importIp(): Promise<string> {
  const asked = ["-n", "shop", "get", "serviceimport/pay", "-o", "jsonpath={.spec.ips[0]}"];
  return (await eu.kubectl.run(asked)).stdout;
}
