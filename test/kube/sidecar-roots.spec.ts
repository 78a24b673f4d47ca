/** Pods' proxies know their agent by roots that are rotated under them: a real Envoy in a pod, a real API server. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeyStore } from "@hansa/identity";
import { BLACK_HOLE, blackHoleCluster, ResourceLayer, TYPE_URL } from "@hansa/xds";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { freePort } from "../../deploy/tools/child.ts";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { OVERLAP_MS, ROOT_AGE_MS } from "../../services/agent/src/identity/serving-tls.ts";
import type { LocalProxy } from "../../services/agent/src/proxy/inventory.ts";
import type { ProxyServer } from "../../services/agent/src/proxy/plane-options.ts";
import { Sidecars } from "../../services/agent/src/sidecars.ts";
import { agentAccount } from "./support/account.ts";
import { clientOf, ports } from "./support/client.ts";

/** A kubelet's sync. */
const FILES_MS = 45_000;
const dir = mkdtempSync(join(tmpdir(), "hansa-roots-"));
const own = ports();
const layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
let kube: Kube;
let eu: KubeCluster;
let token: string;
let port: number;
let sidecars: Sidecars;
let served: ProxyServer | undefined;

beforeAll(async () => {
  port = await freePort();
  kube = await startKube({
    clusters: ["eu"],
    // Pods find the agent at their node's address.
    nodes: { forwards: [{ port, to: `127.0.0.1:${port}` }] },
  });
  eu = kube.cluster("eu");
  layer.update(TYPE_URL.cluster, [[BLACK_HOLE, blackHoleCluster()]]);
  token = await (await agentAccount(eu, clientOf(eu, own, { rights: undefined }))).boundToken("agent-0");
  await eu.apply(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "shop", labels: { "hansa.dev/inject": "enabled" } },
    }),
  );
  await open();
}, 120_000);
afterAll(async () => {
  await sidecars?.stop();
  await kube?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** As an agent that starts: with the keys of the one before it. */
async function open(): Promise<void> {
  sidecars = new Sidecars({
    config: {
      host: eu.options.plan.nodeIp,
      listen: { host: "127.0.0.1", port },
      webhook: { host: kube.address, port: await freePort(kube.address), advertised: kube.address },
      proxyImage: "envoyproxy/envoy:v1.40.0",
      rulesImage: "hansa:lab",
      excludeOutboundCidrs: [],
      inbound: "permissive",
      neighbourCidrs: [],
    },
    client: clientOf(eu, own, { token }),
    store: openKeyStore(dir),
    cluster: "eu",
    ports: own,
    mayWrite: () => true,
    admission: { isMember: () => true, refusesAddress: () => undefined },
  });
  await sidecars.start();
  sidecars.namespace("shop", true);
  serve();
}

let uid = "";
function serve(): void {
  if (uid === "") return;
  const pod = { namespace: "shop", name: "web", uid, serviceAccount: "default" };
  const ignored = (): void => {};
  served = sidecars.serve({ kind: "sidecar", pod } as LocalProxy, [layer], ignored, ignored);
}

const roots = (text: string): number => text.split("BEGIN CERTIFICATE").length - 1;
const inNamespace = async (): Promise<string> =>
  (await eu.kubectl.run(["-n", "shop", "get", "configmap/hansa-roots", "-o", "json"])).stdout;
const inPod = (): Promise<string> =>
  eu.kubectl.ok(["-n", "shop", "exec", "web", "-c", "hansa-proxy", "--", "cat", "/var/run/hansa/roots.json"]);
const ofProxy = (name: string): Promise<string> => {
  const path = `jsonpath={.status.initContainerStatuses[1].${name}}`;
  return eu.kubectl.ok(["-n", "shop", "get", "pod/web", "-o", path]);
};
const restarts = (): Promise<string> => ofProxy("restartCount");
const streams = (): number => (served?.status() as { streams: number } | undefined)?.streams ?? 0;
const rotated = (): void => sidecars.turn(Date.now() + ROOT_AGE_MS + OVERLAP_MS);
/** Waits until both the namespace and the pod have so many roots. */
async function arrived(count: number): Promise<void> {
  await expect.poll(async () => roots(await inNamespace()), { timeout: 10_000 }).toBe(count);
  await expect.poll(async () => roots(await inPod()), { timeout: FILES_MS }).toBe(count);
}

it("a pod waits for its namespace's roots, and comes by them", async () => {
  const spec = {
    containers: [{ name: "app", image: "busybox", command: ["sleep", "3600"] }],
    terminationGracePeriodSeconds: 2,
  };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop" }, spec };
  await vi.waitUntil(async () => {
    const made = await eu.kubectl.run(["create", "-f", "-", "-o", "json"], { stdin: JSON.stringify(pod) });
    if (made.code !== 0) return false;
    const { metadata, spec: is } = JSON.parse(made.stdout);
    uid = metadata.uid;
    if (is.initContainers?.length === 2) return true;
    await eu.kubectl.ok(["-n", "shop", "delete", "pod/web", "--wait"]);
    return false;
  }, 20_000);
  serve();
  await eu.kubectl.ok(["-n", "shop", "wait", "pod/web", "--for=condition=Ready", "--timeout=28s"]);
  expect(streams()).toBe(1);
  expect(roots(await inPod())).toBe(1);
});

it("an old root goes, and the proxy that began with it comes again, made anew or not", async () => {
  const first = await inPod();
  rotated();
  await arrived(2);
  rotated();
  rotated();
  expect(roots(sidecars.bundlePem)).toBe(1);
  expect(first).not.toContain(JSON.stringify(sidecars.bundlePem).slice(1, 90));
  await arrived(1);
  expect(await restarts()).toBe("0");
  // Another agent, with the certificate of the second root: every connection is made anew.
  await sidecars.stop();
  await open();
  await expect.poll(streams, { timeout: 20_000 }).toBe(1);
  expect(await restarts()).toBe("0");

  process.kill(Number((await ofProxy("containerID")).replace("process://", "")), "SIGKILL");
  await expect.poll(restarts, { timeout: 15_000 }).toBe("1");
  await eu.kubectl.ok(["-n", "shop", "wait", "pod/web", "--for=condition=Ready", "--timeout=28s"]);
  expect(streams()).toBe(1);
}, 180_000);

it("what somebody takes away is there again for the next namespace that asks", async () => {
  await eu.kubectl.ok(["create", "namespace", "late"]);
  sidecars.namespace("late", true);
  await expect
    .poll(async () => (await eu.kubectl.run(["-n", "late", "get", "configmap/hansa-roots"])).code)
    .toBe(0);
});
