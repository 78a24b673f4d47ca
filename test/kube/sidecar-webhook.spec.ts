/** The agent's mutating webhook on a real API server: who is asked about, what comes of it, and what does not need it. */
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeyStore } from "@hansa/identity";
import type { KubePorts } from "@hansa/kube";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freePort } from "../../deploy/tools/child.ts";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { kinds } from "../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { OVERLAP_MS, ROOT_AGE_MS } from "../../services/agent/src/identity/serving-tls.ts";
import { Sidecars, type SidecarsConfig } from "../../services/agent/src/sidecars.ts";
import { REVIEW_BYTES_MAX } from "../../services/agent/src/webhook/server.ts";
import { agentAccount } from "./support/account.ts";
import { field } from "./support/ask.ts";
import { clientOf, ports } from "./support/client.ts";

const dir = mkdtempSync(join(tmpdir(), "hansa-webhook-"));
let kube: Kube;
let eu: KubeCluster;
let config: SidecarsConfig;
let sidecars: Sidecars;
let own: KubePorts;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"] });
  eu = kube.cluster("eu");
  await eu.apply(kinds());
  const account = await agentAccount(eu, clientOf(eu, ports(), { rights: undefined }));
  const token = await account.boundToken("agent-0");
  own = ports();
  const host = kube.address;
  config = {
    host,
    listen: { host, port: await freePort(host) },
    webhook: { host, port: await freePort(host) },
    proxyImage: "envoyproxy/envoy:v1.40.0",
    rulesImage: "hansa:lab",
    excludeOutboundCidrs: [],
    inbound: "permissive",
    neighbourCidrs: [],
  };
  sidecars = open(token);
  await sidecars.start();
  for (const [name, label] of [
    ["in", "enabled"],
    ["some", "disabled"],
    ["out", undefined],
  ] as const) {
    await eu.kubectl.ok(["create", "namespace", name]);
    if (label !== undefined) await eu.kubectl.ok(["label", "namespace", name, `hansa.dev/inject=${label}`]);
    const account = ["get", "serviceaccount/default", "-n", name];
    await vi.waitUntil(async () => (await eu.kubectl.run(account)).code === 0, { timeout: 10_000 });
  }
  await vi.waitUntil(async () => (await create("in")).injected, { timeout: 15_000, interval: 100 });
});
afterAll(async () => {
  await sidecars?.stop();
  await kube?.close();
  rmSync(dir, { recursive: true, force: true });
});

const open = (token: string): Sidecars =>
  new Sidecars({
    config,
    client: clientOf(eu, own, { token }),
    store: openKeyStore(dir),
    cluster: "eu",
    ports: own,
    mayWrite: () => true,
    admission: {
      isMember: (cluster) => cluster === "eu",
      refusesAddress: (address) => (address.startsWith("10.") ? undefined : `${address} is outside`),
    },
  });

interface Created {
  readonly injected: boolean;
  readonly stderr: string;
}

async function create(namespace: string, annotations: object = {}, spec: object = {}): Promise<Created> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "pod-", namespace, annotations },
    spec: { containers: [{ name: "app", image: "busybox" }], automountServiceAccountToken: false, ...spec },
  };
  const { stdout, stderr } = await eu.kubectl.run(["create", "-f", "-", "-o", "json"], {
    stdin: JSON.stringify(pod),
  });
  const made = stdout === "" ? {} : (JSON.parse(stdout) as { spec?: { initContainers?: unknown[] } });
  return { injected: made.spec?.initContainers?.length === 2, stderr };
}
const inject = (value: string) => ({ "hansa.dev/inject": value });

describe("a pod", () => {
  it("has a sidecar where it or its namespace opts in, and none where it opts out", async () => {
    expect((await create("in")).injected).toBe(true);
    expect((await create("in", inject("disabled"))).injected).toBe(false);
    expect((await create("some")).injected).toBe(false);
    expect((await create("some", inject("enabled"))).injected).toBe(true);
    expect((await create("out")).injected).toBe(false);
  });

  it("that cannot have one is refused with the code and the place", async () => {
    const { stderr } = await create("in", {}, { hostNetwork: true });
    expect(stderr).toMatch(/HSA7031 spec\.hostNetwork/);
    expect((await create("some", inject("yes"))).stderr).toContain("HSA7031 metadata.annotations");
  });
});

describe("a policy", () => {
  const apply = (kind: string, spec: object) => {
    const metadata = { name: "one", ...(kind === "MeshGateway" ? {} : { namespace: "out" }) };
    const stdin = JSON.stringify({ apiVersion: "hansa.dev/v1alpha1", kind, metadata, spec });
    return eu.kubectl.run(["apply", "-f", "-"], { stdin });
  };

  it("that can have no effect is refused with the code; one that has none yet is taken with a warning", async () => {
    const outside = () => apply("MeshGateway", { addresses: ["192.0.2.1"], port: 15_443 });
    await expect
      .poll(async () => (await outside()).stderr, { timeout: 15_000 })
      .toContain("HSA7033 spec.addresses: 192.0.2.1 is outside");
    const from = [{ cluster: "us", namespace: "shop", serviceAccount: "web" }];
    const { stderr, code } = await apply("AllowPolicy", { service: "pay", from });
    expect([stderr, code]).toEqual([
      expect.stringContaining("Warning: no cluster us is in the federation now"),
      0,
    ]);
  });
});

describe("the server", () => {
  const ask = (path: string, body: string, method = "POST"): Promise<[number, string]> =>
    new Promise((resolve, reject) => {
      const { host, port } = config.webhook!;
      const asked = request({ host, port, path, method, ca: sidecars.bundlePem }, (response) => {
        let text = "";
        response.on("data", (piece) => (text += String(piece)));
        response.on("end", () => resolve([response.statusCode ?? 0, text]));
      });
      asked.on("error", reject);
      asked.end(body);
    });

  it("answers what is no review with a code", async () => {
    for (const [path, body] of [
      ["/inject/enabled", "{"],
      ["/inject/enabled", "{}"],
      ["/elsewhere", "{}"],
    ] as const)
      expect((await ask(path, body))[1]).toContain("HSA7032");
    expect((await ask("/inject/enabled", "", "GET"))[0]).toBe(404);
    expect(await ask("/inject/enabled", " ".repeat(REVIEW_BYTES_MAX + 1)).catch(() => [413])).toContain(413);
    expect((await create("in")).injected).toBe(true);
  });
});

describe("rotation", () => {
  it("of leaves and roots goes on under pods that are made, five times over", async () => {
    const bundles = new Set<string>();
    for (let step = 0; step < 15; step += 1) {
      sidecars.turn(Date.now() + ROOT_AGE_MS + OVERLAP_MS);
      bundles.add(sidecars.bundlePem);
      await expect.poll(async () => (await create("in")).injected, { timeout: 10_000 }).toBe(true);
      const path = ".webhooks[0].clientConfig.caBundle";
      const trusted = () => field(eu, "mutatingwebhookconfiguration/hansa-sidecars", path);
      await expect
        .poll(async () => Buffer.from(await trusted(), "base64").toString())
        .toBe(sidecars.bundlePem);
    }
    expect(bundles.size).toBeGreaterThanOrEqual(10);
  });
});

describe("while the agent is down", () => {
  it("pods that would be unprotected wait; everybody else is made", async () => {
    await sidecars.stop();
    expect((await create("in")).stderr).toContain("failed calling webhook");
    expect((await create("some", inject("enabled"))).stderr).toContain("failed calling webhook");
    for (const [namespace, annotations] of [
      ["in", inject("disabled")],
      ["some", {}],
      ["out", {}],
      ["kube-system", {}],
    ] as const)
      expect((await create(namespace, annotations)).stderr).toBe("");
  });
});
