/**
 * What a user gets who joins two clusters by `hansa cluster join` and labels a namespace: pods with sidecars that call by
 * name, across clusters, as policy says; beside them pods without, by gateway mode.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JoinRig } from "./support/join-rig.ts";

const URL = "http://pay.shop.svc.clusterset.local/";
const OPEN = "http://open.plain.svc.clusterset.local/";
let rig: JoinRig;

beforeAll(async () => {
  rig = await JoinRig.start(["eu", "us"]);
  for (const name of ["eu", "us"]) {
    const { podCidr } = rig.kube.cluster(name).options.plan;
    const flags = [...rig.flags(name), "--ephemeral", "--gateway-mode", "on", "--patch-dns"];
    const joined = await rig.hansa(
      ...["cluster", "join", ...flags, "--token", await rig.token(name), "--neighbour-cidrs", podCidr],
    );
    expect(joined.status, joined.stderr).toBe(0);
  }
}, 240_000);
afterAll(() => rig?.stop(), 60_000);

const kubectl = (cluster: string, ...args: readonly string[]): Promise<string> =>
  rig.kube.cluster(cluster).kubectl.ok(args);
const apply = (cluster: string, ...objects: readonly object[]): Promise<void> =>
  rig.kube.cluster(cluster).apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));

const namespace = (name: string, labels: object = {}): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const shell = (inNamespace: string, name: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: inNamespace },
  spec: { containers: [{ name: "app", image: "curlimages/curl", command: ["sleep", "infinity"] }] },
});
const served = (inNamespace: string, name: string): object[] => {
  const metadata = { name, namespace: inNamespace };
  const selector = { app: name };
  const readinessProbe = { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 };
  const template = {
    metadata: { labels: selector },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: "app", image: "echo", ports: [{ containerPort: 8080 }], readinessProbe }],
    },
  };
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas: 2, selector: { matchLabels: selector }, template },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    },
    { apiVersion: "multicluster.x-k8s.io/v1beta1", kind: "ServiceExport", metadata },
  ];
};
/** Callers of us, of its namespace shop. */
const allows = (name: string, inNamespace: string, serviceAccount: string): object => ({
  apiVersion: "hansa.dev/v1alpha1",
  kind: "AllowPolicy",
  metadata: { name: "us", namespace: inNamespace },
  spec: { service: name, from: [{ cluster: "us", namespace: "shop", serviceAccount }] },
});
const available = async (cluster: string, inNamespace: string, name: string): Promise<void> => {
  const ready = ["wait", "--for=condition=Available", `deployment/${name}`, "--timeout=60s"];
  await rig.kube.cluster(cluster).kubectl.ok(["-n", inNamespace, ...ready], { timeoutMs: 70_000 });
};

interface Answer {
  /** HTTP status; 0 where there was none. */
  readonly status: number;
  readonly cluster?: string;
  readonly caller?: string;
}

/** What a pod of us is answered, by name. */
async function call(inNamespace: string, from: string, url: string): Promise<Answer> {
  const { stdout } = await rig.kube
    .cluster("us")
    .kubectl.run(["-n", inNamespace, "exec", from, "-c", "app", "--", "curl", "-si", "-m", "5", url], {
      timeoutMs: 15_000,
    });
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  const status = Number(head.split(" ")[1] ?? 0);
  if (status !== 200) return { status };
  const said = JSON.parse(body) as { cluster: string; headers: Record<string, string[]> };
  const caller = /URI=(\S+)/.exec(said.headers["X-Forwarded-Client-Cert"]?.[0] ?? "")?.[1];
  return { status: 200, cluster: said.cluster, ...(caller === undefined ? {} : { caller }) };
}
const fromClient = (): Promise<Answer> => call("shop", "client", URL);
const ID = "spiffe://us.lab.hansa/ns/shop/sa/default";

describe("pods of a labelled namespace", () => {
  it("have the sidecar of the chart's webhook, and resolve and call a service of another cluster as policy says", async () => {
    for (const cluster of ["eu", "us"]) {
      await apply(cluster, namespace("shop", { "hansa.dev/inject": "enabled" }), namespace("plain"));
      const hook = ["get", "mutatingwebhookconfiguration/hansa-sidecars"];
      await expect
        .poll(async () => (await rig.kube.cluster(cluster).kubectl.run(hook)).code, { timeout: 20_000 })
        .toBe(0);
    }
    await apply("us", shell("shop", "client"), shell("plain", "neighbour"));
    await apply("eu", ...served("shop", "pay"));
    await available("eu", "shop", "pay");
    await kubectl("us", "-n", "shop", "wait", "pod/client", "--for=condition=Ready", "--timeout=60s");
    const containers = "jsonpath={.spec.initContainers[*].name}";
    expect(await kubectl("us", "-n", "shop", "get", "pod/client", "-o", containers)).toBe(
      "hansa-rules hansa-proxy",
    );
    const looked = ["exec", "client", "-c", "app", "--", "nslookup", "-type=A"];
    await expect
      .poll(
        async () => {
          const args = ["-n", "shop", ...looked, "pay.shop.svc.clusterset.local."];
          return (await rig.kube.cluster("us").kubectl.run(args)).stdout;
        },
        { timeout: 20_000 },
      )
      .toMatch(/Address: 198\.18\.\d+\.\d+/);
    // A cluster that no policy names is refused in the handshake, and a caller of one that is named by its id.
    await expect.poll(fromClient, { timeout: 20_000 }).toEqual({ status: 503 });
    await apply("eu", allows("pay", "shop", "teller"));
    await expect.poll(fromClient, { timeout: 20_000 }).toEqual({ status: 403 });
    await apply("eu", allows("pay", "shop", "default"));
    await expect.poll(fromClient, { timeout: 20_000 }).toEqual({ status: 200, cluster: "eu", caller: ID });
  });

  it("are answered at home where the service is there too, and lose no call when it goes", async () => {
    await apply("us", ...served("shop", "pay"));
    await available("us", "shop", "pay");
    await expect.poll(fromClient, { timeout: 20_000 }).toEqual({ status: 200, cluster: "us", caller: ID });
    const seen: Answer[] = [];
    await kubectl("us", "-n", "shop", "scale", "deployment/pay", "--replicas=0");
    while (seen.slice(-10).some(({ cluster }) => cluster !== "eu") || seen.length < 10) {
      seen.push(await fromClient());
      if (seen.length > 200) throw new Error("us still answers");
    }
    expect(seen.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe("what an agent knows of a pod's proxy", () => {
  it("is compared with what its Envoy has, for callers and servers", async () => {
    const [pod = ""] = (await kubectl("eu", "-n", "shop", "get", "pods", "-o", "name")).split("\n");
    for (const [cluster, proxy] of [
      ["us", "us/shop/client"],
      ["eu", `eu/shop/${pod.replace("pod/", "")}`],
    ] as const) {
      const { status, stdout, stderr } = await rig.hansa("proxy", "diff", proxy, "--context", cluster);
      expect([status, stdout], stderr).toEqual([0, expect.stringMatching(/has all of what it is offered/)]);
    }
    const { stdout } = await rig.hansa("proxy", "status", "--context", "eu");
    expect(stdout).toMatch(new RegExp(`shop/${pod.replace("pod/", "")} +yes +permissive`));
  });

  it("is told to the agent alone: no other identity of the cluster can ask", async () => {
    const ip = await kubectl("us", "-n", "shop", "get", "pod/client", "-o", "jsonpath={.status.podIP}");
    const body = { namespace: "shop", serviceAccount: "default" };
    const order = JSON.stringify({ method: "POST", path: "/v1/svid", body });
    const inAgent = ["-n", "hansa-system", "exec", "hansa-agent-0", "-c", "agent", "--", "hansa-ask"];
    const issued = JSON.parse(await kubectl("us", ...inAgent, order)) as {
      answer: { certPem: string; keyPem: string };
    };
    const { certPem: cert, keyPem: key } = issued.answer;
    expect(cert).toContain("BEGIN CERTIFICATE");
    for (const shown of [{}, { cert, key }]) {
      const script = `const asked = require("node:https").request({ host: "${ip}", port: 15006, path: "/config_dump",
        servername: "inspect.proxy.us.lab.hansa", rejectUnauthorized: false, ...${JSON.stringify(shown)} },
        (answer) => console.log("answered", answer.statusCode));
        asked.on("error", ({ code }) => console.log("refused", code)); asked.end();`;
      const inPod = ["-n", "plain", "exec", "neighbour", "--", process.execPath, "-e", script];
      expect(await kubectl("us", ...inPod)).toMatch(/^refused E/);
    }
  });
});

describe("gateway mode beside sidecars", () => {
  it("takes pods without one across, to services without one, and not to those whose policy names others", async () => {
    await apply("eu", ...served("plain", "open"));
    await available("eu", "plain", "open");
    await expect
      .poll(() => call("plain", "neighbour", OPEN), { timeout: 20_000 })
      .toMatchObject({ status: 200, cluster: "eu" });
    expect((await call("plain", "neighbour", URL)).status).not.toBe(200);
    expect(await fromClient()).toEqual({ status: 200, cluster: "eu", caller: ID });
  });

  it("is called by pods with one too, as themselves", async () => {
    await apply("eu", allows("open", "plain", "default"));
    await expect
      .poll(() => call("shop", "client", OPEN), { timeout: 20_000 })
      .toEqual({ status: 200, cluster: "eu", caller: ID });
  });
});
