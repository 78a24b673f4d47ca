/** An API server of the lab calls webhooks where they are: in pods by their Service, and on loopback beside the tests. */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";

let kube: Kube;
let eu: KubeCluster;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"], nodes: {} });
  eu = kube.cluster("eu");
});
afterAll(() => kube.close());

const deny = `(request, response) => {
  let body = "";
  request.on("data", (text) => { body += text; });
  request.on("end", () => {
    const { request: { uid } } = JSON.parse(body);
    const status = { message: "denied by " + process.title };
    const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...review, response: { uid, allowed: false, status } }));
  });
}`;

describe("a webhook", () => {
  it("in a pod is called by its Service", async () => {
    const { certPem, keyPem } = eu.options.credentials.authority.issueServer(["hook.default.svc"]);
    const script = `const options = { cert: process.env.CERT, key: process.env.KEY };
      process.title = "the pod";
      require("https").createServer(options, ${deny}).listen(8443);`;
    await eu.apply(JSON.stringify(hookPod(script, certPem, keyPem)));
    await eu.apply(JSON.stringify(hookService));
    await eu.kubectl.ok(["wait", "pod/hook", "--for=condition=Ready", "--timeout=30s"]);
    await register("in-pod", { service: { name: "hook", namespace: "default" } });
    await expectDenied("in-pod", "denied by the pod");
  });

  it("on loopback is called by its address", async () => {
    const { certPem, keyPem } = eu.options.credentials.authority.issueServer([kube.address]);
    process.title = "the test";
    const handler = new Function(`return ${deny}`)() as Parameters<typeof createServer>[1];
    const server = createServer({ cert: certPem, key: keyPem }, handler);
    const port = await listen(server, kube.address);
    await register("on-loopback", { url: `https://${kube.address}:${port}/` });
    await expectDenied("on-loopback", "denied by the test");
    server.close();
  });
});

/** Each hook is asked about ConfigMaps that are labelled with its name. */
async function register(name: string, clientConfig: object): Promise<void> {
  const caBundle = Buffer.from(eu.caPem).toString("base64");
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  const hook = {
    name: `${name}.hansa.test`,
    clientConfig: { ...clientConfig, caBundle },
    rules: [rule],
    objectSelector: { matchLabels: { hook: name } },
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    timeoutSeconds: 5,
  };
  const kind = { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" };
  await eu.apply(JSON.stringify({ ...kind, metadata: { name }, webhooks: [hook] }));
}

/** The API server takes up a new webhook a little after it was written. */
async function expectDenied(name: string, message: string): Promise<void> {
  const metadata = { generateName: "asked-", labels: { hook: name } };
  const stdin = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata });
  const create = async (): Promise<string> => (await eu.kubectl.run(["create", "-f", "-"], { stdin })).stderr;
  await expect.poll(create, { timeout: 10_000 }).toContain(message);
}

function listen(server: Server, host: string): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port)),
  );
}

const metadata = { name: "hook", namespace: "default", labels: { app: "hook" } };

const hookService = {
  apiVersion: "v1",
  kind: "Service",
  metadata,
  spec: { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 8443 }] },
};

function hookPod(script: string, cert: string, key: string): object {
  const env = [
    { name: "CERT", value: cert },
    { name: "KEY", value: key },
  ];
  const readinessProbe = { tcpSocket: { port: 8443 } };
  const container = { name: "hook", image: "node:24", args: ["-e", script], env, readinessProbe };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [container] } };
}
