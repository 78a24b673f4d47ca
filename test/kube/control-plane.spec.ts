/** The lab's control planes are real ones, are apart from each other, and come back as they were. */
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";

const names = ["eu", "us", "ap"];

describe("three clusters on one etcd", () => {
  let kube: Kube;
  beforeAll(async () => {
    kube = await startKube({ clusters: names });
  });
  afterAll(() => kube.close());

  it.each(names)("%s serves Kubernetes 1.36", async (name) => {
    const version = JSON.parse(await kube.cluster(name).kubectl.ok(["version", "-o", "json"]));
    expect(version.serverVersion.gitVersion).toBe("v1.36.3");
  });

  it("keeps what one cluster is told from the others", async () => {
    await kube.cluster("eu").apply(configMap("only-eu", "v"));
    expect(await namesOf(kube, "eu", "configmaps")).toContain("only-eu");
    expect(await namesOf(kube, "us", "configmaps")).not.toContain("only-eu");
  });

  it("makes the pods of a Deployment and the EndpointSlice of a Service", async () => {
    const { kubectl } = kube.cluster("us");
    await kube.cluster("us").apply(deploymentAndService);
    await expect.poll(() => namesOf(kube, "us", "pods"), { timeout: 10_000 }).toHaveLength(2);
    const slices = ["get", "endpointslices", "-l", "kubernetes.io/service-name=echo", "-o", "name"];
    await expect.poll(() => kubectl.ok(slices), { timeout: 10_000 }).toMatch(/endpointslice/);
  });

  it("deletes a namespace with all that is in it", async () => {
    const { kubectl } = kube.cluster("ap");
    await kubectl.ok(["create", "namespace", "gone"]);
    await kubectl.ok(["-n", "gone", "create", "configmap", "inside"]);
    await kubectl.ok(["delete", "namespace", "gone", "--timeout=20s"]);
    const { code, stderr } = await kubectl.run(["-n", "gone", "get", "configmap", "inside"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("not found")]);
  });

  it("authorises by RBAC: a service account may do nothing until it is given a role", async () => {
    const { kubectl } = kube.cluster("eu");
    const who = "--as=system:serviceaccount:default:default";
    const before = await kubectl.run(["auth", "can-i", "list", "services", who]);
    expect(before.stdout.trim()).toBe("no");
    await kubectl.ok(["create", "role", "reads", "--verb=list", "--resource=services"]);
    await kubectl.ok(["create", "rolebinding", "reads", "--role=reads", "--serviceaccount=default:default"]);
    expect((await kubectl.ok(["auth", "can-i", "list", "services", who])).trim()).toBe("yes");
  });

  it("issues tokens that its own review accepts", async () => {
    const { kubectl } = kube.cluster("eu");
    const token = (await kubectl.ok(["create", "token", "default", "--audience=hansa"])).trim();
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" };
    const asked = JSON.stringify({ ...review, spec: { token, audiences: ["hansa"] } });
    const told = await kubectl.ok(["create", "-f", "-", "-o", "json"], { stdin: asked });
    expect(JSON.parse(told).status).toMatchObject({
      authenticated: true,
      user: { username: "system:serviceaccount:default:default" },
    });
  });

  it("takes up a new serving certificate without a new start", async () => {
    const eu = kube.cluster("eu");
    const [serial, pid] = [await servingSerial(eu), eu.apiServerPid];
    eu.rotateServerCertificate();
    await expect.poll(() => servingSerial(eu), { timeout: 30_000 }).not.toBe(serial);
    expect(eu.apiServerPid).toBe(pid);
    await eu.kubectl.ok(["get", "namespaces"]);
  });

  it("keeps everything over a crash of an API server", async () => {
    const eu = kube.cluster("eu");
    const before = eu.apiServerPid;
    await eu.restartApiServer();
    expect(eu.apiServerPid).not.toBe(before);
    expect(await namesOf(kube, "eu", "configmaps")).toContain("only-eu");
  });
});

describe("a cluster with an etcd of its own", () => {
  let kube: Kube;
  beforeAll(async () => {
    kube = await startKube({ clusters: ["eu"], etcd: "each" });
  });
  afterAll(() => kube.close());

  it("goes back to a backup: what came after it never was, and versions are used again", async () => {
    const eu = kube.cluster("eu");
    await eu.apply(configMap("early", "1"));
    await kube.backUp("eu", "first");
    await eu.apply(configMap("late", "1"));
    const late = await version(kube, "late");
    await kube.restore("eu", "first");
    expect(await namesOf(kube, "eu", "configmaps")).toEqual(expect.arrayContaining(["early"]));
    expect(await namesOf(kube, "eu", "configmaps")).not.toContain("late");
    expect(await version(kube, "early")).toBeLessThan(late);
  });
});

async function namesOf(kube: Kube, cluster: string, kind: string): Promise<string[]> {
  const text = await kube.cluster(cluster).kubectl.ok(["get", kind, "-o", "name"]);
  return text.split("\n").flatMap((line) => line.split("/")[1] ?? []);
}

/** Serial number of the certificate that a cluster's API server shows. */
function servingSerial(cluster: KubeCluster): Promise<string> {
  const { hostname, port } = new URL(cluster.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca: cluster.caPem }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

async function version(kube: Kube, name: string): Promise<number> {
  const path = ["-o", "jsonpath={.metadata.resourceVersion}"];
  return Number(await kube.cluster("eu").kubectl.ok(["get", "configmap", name, ...path]));
}

function configMap(name: string, value: string): string {
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } });
}

const deploymentAndService = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: echo, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: echo } }
  template:
    metadata: { labels: { app: echo } }
    spec: { containers: [{ name: echo, image: echo }] }
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: default }
spec: { selector: { app: echo }, ports: [{ port: 80 }] }
`;
