/** Gateways in pods of their own, as `hansa cluster join` installs them: replaced, scaled and imitated under calls. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { JoinRig } from "./support/join-rig.ts";

const OWN = ["-n", "hansa-system"];
const GATEWAYS = ["-l", "app.kubernetes.io/name=hansa-gateway"];
const PAY = "pay.shop.svc.clusterset.local";
let rig: JoinRig;
let eu: KubeCluster;
let us: KubeCluster;
let vip = "";

beforeAll(async () => {
  rig = await JoinRig.start(["eu", "us"]);
  [eu, us] = [rig.kube.cluster("eu"), rig.kube.cluster("us")];
  for (const name of ["eu", "us"]) {
    const token = await rig.token(name);
    const join = ["cluster", "join", ...rig.flags(name), "--token", token, "--ephemeral"];
    const { status, stderr } = await rig.hansa(...join);
    expect(status, stderr).toBe(0);
  }
  const shell = { image: "busybox", command: ["sleep", "3600"] };
  const echo = { image: "echo", readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 } };
  await Promise.all([
    apply(eu, NAMESPACE, pod("client", shell)),
    apply(us, NAMESPACE, pod("pay", echo), ...PAY_SERVICE),
  ]);
  await scale(2);
  await Promise.all([ready(eu, "client"), ready(us, "pay")]);
  await vi.waitUntil(
    async () => {
      const ips = ["-n", "shop", "get", "serviceimport/pay", "-o", "jsonpath={.spec.ips[0]}"];
      vip = (await eu.kubectl.run(ips)).stdout;
      return vip !== "" && (await call());
    },
    { timeout: 40_000, interval: 200 },
  );
}, 240_000);
afterAll(() => rig?.stop());

const apply = (cluster: KubeCluster, ...objects: readonly object[]): Promise<void> =>
  cluster.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
const ready = (cluster: KubeCluster, name: string) =>
  cluster.kubectl.ok(["-n", "shop", "wait", `pod/${name}`, "--for=condition=Ready", "--timeout=28s"]);
const NAMESPACE = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "shop", labels: { "hansa.dev/inject": "enabled" } },
};
const pod = (name: string, container: object) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", labels: { app: name } },
  spec: { containers: [{ name: "app", ...container }], terminationGracePeriodSeconds: 3 },
});
const inShop = (apiVersion: string, kind: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name: "pay", namespace: "shop" },
  spec,
});
const PAY_SERVICE = [
  inShop("v1", "Service", {
    selector: { app: "pay" },
    ports: [{ name: "http", port: 80, targetPort: 8080 }],
  }),
  inShop("multicluster.x-k8s.io/v1beta1", "ServiceExport", {}),
  inShop("hansa.dev/v1alpha1", "AllowPolicy", {
    service: "pay",
    from: [{ cluster: "eu", namespace: "shop", serviceAccount: "default" }],
  }),
];

/** One connection each: the caller's proxy keeps its own to the gateway. */
async function call(): Promise<boolean> {
  const asked = ["-n", "shop", "exec", "client", "-c", "app", "--", "curl", "-sf", "-m", "5"];
  const { code, stdout } = await eu.kubectl.run([...asked, "-H", `Host: ${PAY}`, `http://${vip}/`]);
  return code === 0 && stdout.includes('"cluster":"us"');
}

/** Calls without a pause until it is over; answers how many there were and how many were not answered. */
async function callingWhile(what: Promise<unknown>): Promise<{ calls: number; failed: number }> {
  const seen = { calls: 0, failed: 0 };
  let isOver = false;
  const over = what.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  while (!isOver) {
    seen.calls += 1;
    if (!(await call())) seen.failed += 1;
  }
  await over;
  return seen;
}

interface PodJson {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number }[];
  };
}
const pods = async (selector = GATEWAYS): Promise<readonly PodJson[]> =>
  JSON.parse(await us.kubectl.ok([...OWN, "get", "pods", ...selector, "-o", "json"])).items;
const isReady = ({ status, metadata }: PodJson): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
const count = async (): Promise<number> => (await pods()).filter(isReady).length;

async function scale(replicas: number): Promise<void> {
  await us.kubectl.ok([...OWN, "scale", "deployment/hansa-gateway", `--replicas=${replicas}`]);
  await vi.waitUntil(async () => (await count()) === replicas, { timeout: 60_000, interval: 200 });
}

/** What a gateway's own admin interface says, to its pod alone. */
async function admin(name: string, path: string): Promise<string> {
  const ask = `exec 3<>/dev/tcp/127.0.0.1/15000; printf 'GET ${path} HTTP/1.1\\r\\nhost: a\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3`;
  return await us.kubectl.ok([...OWN, "exec", name, "-c", "gateway", "--", "bash", "-c", ask]);
}

const streams = async (): Promise<number> => {
  const ask = ["hansa-ask", JSON.stringify({ path: "/v1/proxies" })];
  const said = await us.kubectl.ok([...OWN, "exec", "hansa-agent-0", "-c", "agent", "--", ...ask]);
  const { items } = JSON.parse(said).answer.data as { items: { id: string; xds: { streams: number } }[] };
  return items.find(({ id }) => id === "gateway/gw")?.xds.streams ?? 0;
};

describe("two gateways in pods of their own", () => {
  it("both have their configuration from the agent, and the certificate of the cluster's gateway", async () => {
    expect(await streams()).toBe(2);
    for (const { metadata } of await pods())
      expect(await admin(metadata.name, "/certs")).toContain(
        "spiffe://us.lab.hansa/ns/hansa-system/sa/gateway",
      );
  });

  it("one is killed, then the other: calls go on, by the one that is left", async () => {
    const { calls, failed } = await callingWhile(
      (async () => {
        for (const { metadata, status } of await pods()) {
          const { containerID = "" } = status.containerStatuses?.[0] ?? {};
          process.kill(Number(containerID.replace("process://", "")), "SIGKILL");
          const isBack = async () =>
            (await pods()).some(
              (one) =>
                one.metadata.name === metadata.name &&
                isReady(one) &&
                (one.status.containerStatuses?.[0]?.restartCount ?? 0) > 0,
            );
          await vi.waitUntil(isBack, { timeout: 40_000, interval: 100 });
        }
      })(),
    );
    console.info(`killed: ${failed} of ${calls} calls failed`);
    expect(calls).toBeGreaterThan(5);
    expect(failed).toBe(0);
  });

  it("more of them serve, and those that go drain first: no call is lost", async () => {
    const { calls, failed } = await callingWhile(
      (async () => {
        await scale(3);
        await vi.waitUntil(async () => (await streams()) === 3, { timeout: 10_000, interval: 100 });
        await scale(1);
        await vi.waitUntil(async () => (await pods()).length === 1, { timeout: 90_000, interval: 500 });
      })(),
    );
    console.info(`scaled: ${failed} of ${calls} calls failed`);
    expect(failed).toBe(0);
    expect(await streams()).toBe(1);
  });
});

describe("a pod that is not the gateway's account", () => {
  it("never gets the gateway's configuration or certificate, whatever it calls itself", async () => {
    const deployment = JSON.parse(
      await us.kubectl.ok([...OWN, "get", "deployment/hansa-gateway", "-o", "json"]),
    ) as { spec: { template: { spec: object } } };
    const labels = { app: "impostor" };
    const before = await streams();
    await apply(us, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "impostor", namespace: "hansa-system", labels },
      spec: { ...deployment.spec.template.spec, serviceAccountName: "default", serviceAccount: "default" },
    });
    // A stream of it was ended: no pod with a proxy is known by its token.
    const refused = async () =>
      /upstream_rq_total: ([2-9]|\d\d)/.test(await adminOf("/stats?filter=agent.upstream_rq_total"));
    await vi.waitUntil(refused, { timeout: 60_000, interval: 500 });
    expect(await admin("impostor", "/certs")).not.toContain("spiffe://");
    expect(await admin("impostor", "/listeners")).not.toContain("15443");
    expect(await streams()).toBe(before);
  });
});

/** "" until it runs. */
const adminOf = (path: string): Promise<string> => admin("impostor", path).catch(() => "");
