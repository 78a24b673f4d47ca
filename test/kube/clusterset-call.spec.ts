/** What a user does first: export a Service in one cluster, call it from a pod in another, and take it away. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Clusters, startClusters } from "../conformance/mcs/clusters.ts";

const URL = "http://pay.shop.svc.clusterset.local/";
const CALL_MS = 3000;
const NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n";
const CALLER = `${NAMESPACE}---
apiVersion: v1
kind: Pod
metadata: { name: caller, namespace: shop }
spec:
  containers: [{ name: caller, image: curlimages/curl, command: [sleep, infinity] }]
`;
const PAY = `${NAMESPACE}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: pay, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: pay } }
  template:
    metadata: { labels: { app: pay } }
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: pay
          image: echo
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
          lifecycle: { preStop: { exec: { command: [sleep, "1"] } } }
---
apiVersion: v1
kind: Service
metadata: { name: pay, namespace: shop }
spec:
  selector: { app: pay }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: { name: pay, namespace: shop }
`;

let clusters: Clusters;
beforeAll(async () => {
  clusters = await startClusters(3);
}, 240_000);
afterAll(() => clusters?.close(), 60_000);

const kubectl = (cluster: string) => clusters.lab.cluster(cluster).kubectl;

/** Cluster whose pod answered a call from us; undefined where none did. */
async function answerer(): Promise<string | undefined> {
  const args = ["-n", "shop", "exec", "caller", "--", "curl", "-sf", "-m", "2", URL];
  const { code, stdout } = await kubectl("us").run(args, { timeoutMs: CALL_MS });
  return code === 0 ? (JSON.parse(stdout) as { cluster: string }).cluster : undefined;
}

async function within(what: string, limitMs: number, run: () => Promise<boolean>): Promise<number> {
  const startMs = performance.now();
  while (!(await run()))
    if (performance.now() - startMs > limitMs) throw new Error(`${what}: not within ${limitMs} ms`);
  return performance.now() - startMs;
}

const available = (cluster: string) =>
  kubectl(cluster).ok(
    ["-n", "shop", "wait", "--for=condition=Available", "deployment/pay", "--timeout=30s"],
    { timeoutMs: 40_000 },
  );

it("a pod in us is answered by eu's pods within 2 s of their readiness", async () => {
  await clusters.lab.cluster("us").apply(CALLER);
  await kubectl("us").ok(["-n", "shop", "wait", "--for=condition=Ready", "pod/caller", "--timeout=30s"]);
  expect(await answerer()).toBeUndefined();
  await clusters.lab.cluster("eu").apply(PAY);
  await available("eu");
  await within("an answer of eu", 2000, async () => (await answerer()) === "eu");
}, 90_000);

it("no call is lost when eu is scaled to nothing: the next region answers", async () => {
  await clusters.lab.cluster("ap").apply(PAY);
  await available("ap");
  // Both are equally far from us: once it is known there, ap has its share.
  await within("an answer of ap", 20_000, async () => (await answerer()) === "ap");
  const seen: (string | undefined)[] = [];
  let isScaled = false;
  const calling = (async () => {
    while (!isScaled || seen.slice(-20).some((cluster) => cluster === "eu")) {
      seen.push(await answerer());
      if (seen.length > 300) throw new Error("eu still answers");
    }
  })();
  await kubectl("eu").ok(["-n", "shop", "scale", "deployment/pay", "--replicas=0"]);
  isScaled = true;
  await calling;
  expect(seen.filter((cluster) => cluster === undefined)).toEqual([]);
  expect(await answerer()).toBe("ap");
}, 120_000);
