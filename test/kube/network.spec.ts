/** Pods of the lab are reached as pods are: by Services, by names, from other clusters only by load balancers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { echo, expectOutput, field, podWith, run } from "./support/ask.ts";

let kube: Kube;
let eu: KubeCluster;
let us: KubeCluster;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu", "us"], nodes: {} });
  [eu, us] = [kube.cluster("eu"), kube.cluster("us")];
  const ready = ["wait", "pod", "--all", "--for=condition=Ready", "--timeout=30s"];
  await Promise.all([eu.apply(client + echoes + services), us.apply(client)]);
  await eu.kubectl.ok(["rollout", "status", "deployment/echo", "statefulset/db", "--timeout=30s"]);
  await Promise.all([eu, us].map((cluster) => cluster.kubectl.ok(ready)));
});
afterAll(() => kube.close());

describe("a Service", () => {
  it("is reached from a pod by its name, and every pod of it answers", async () => {
    const answered = new Set<string>();
    for (let tries = 0; tries < 16; tries++) answered.add((await echo(eu, "http://echo")).pod);
    expect(answered.size).toBe(2);
    const full = await echo(eu, "http://echo.default.svc.cluster.local");
    expect(full).toMatchObject({ cluster: "eu", namespace: "default" });
  });

  it("sees the pod that calls it", async () => {
    const { client: from } = await echo(eu, "http://echo");
    expect(from.split(":")[0]).toBe(await field(eu, "pod/client", ".status.podIP"));
  });

  it("is reached by one of its own pods, which may be the one that answers", async () => {
    const pod = await podWith(eu, "app=echo");
    const { stdout } = await run(eu, pod, "for i in 1 2 3 4 5 6 7 8; do curl -sS -m 2 http://echo; done");
    expect(new Set(stdout.match(/"pod":"[^"]+"/g)).size).toBe(2);
  });

  it("keeps a client with one pod where it has session affinity", async () => {
    const answered = new Set<string>();
    for (let tries = 0; tries < 6; tries++) answered.add((await echo(eu, "http://sticky")).pod);
    expect(answered.size).toBe(1);
  });

  it("refuses at once where nobody is ready", async () => {
    expect((await run(eu, "client", "curl -sS -m 5 http://nobody")).code).toBe(7);
  });

  it("loses a pod that is scaled away", async () => {
    await eu.kubectl.ok(["scale", "statefulset/db", "--replicas=0"]);
    await expect.poll(async () => (await run(eu, "client", "curl -s -m 1 http://db-any")).code).toBe(7);
    await eu.kubectl.ok(["scale", "statefulset/db", "--replicas=1"]);
    await eu.kubectl.ok(["rollout", "status", "statefulset/db", "--timeout=30s"]);
  });

  it("of type LoadBalancer is reached from another cluster, as pods and ClusterIPs are not", async () => {
    const ip = await field(eu, "service/outer", ".status.loadBalancer.ingress[0].ip");
    expect(await echo(us, `http://${ip}`)).toMatchObject({ cluster: "eu", client: /^10\.127\.0\.2:/ });
    const clusterIp = await field(eu, "service/echo", ".spec.clusterIP");
    const podIp = await field(eu, `pod/${await podWith(eu, "app=echo")}`, ".status.podIP");
    for (const address of [clusterIp, `${podIp}:8080`])
      expect((await run(us, "client", `curl -sS -m 1 http://${address}`)).code).not.toBe(0);
  });
});

describe("the API server", () => {
  it("reaches pods through the nodes", async () => {
    const path = `/api/v1/namespaces/default/pods/${await podWith(eu, "app=echo")}:8080/proxy/through`;
    expect(JSON.parse(await eu.kubectl.ok(["get", "--raw", path]))).toMatchObject({ path: "/through" });
  });

  it("is reached from pods by its Service, with the token and the authority that they are given", async () => {
    const dir = "/var/run/secrets/kubernetes.io/serviceaccount";
    const call = `curl -sS -m 5 --cacert ${dir}/ca.crt -H "Authorization: Bearer $(cat ${dir}/token)"`;
    const { stdout } = await run(eu, "client", `${call} https://kubernetes.default.svc/api/v1/pods`);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 403,
      message: expect.stringContaining("system:serviceaccount:default:default"),
    });
  });
});

describe("DNS", () => {
  const lookUp = async (what: string): Promise<string> =>
    (await run(eu, "client", `nslookup ${what}`)).stdout;

  it("answers for Services, single pods of a headless one and named ports", async () => {
    expect(await lookUp("-type=A echo")).toMatch(
      /Name:\techo\.default\.svc\.cluster\.local\nAddress: 10\.96\./,
    );
    expect(await lookUp("-type=A db-0.db")).toMatch(/Address: 10\.64\.1\./);
    expect(await lookUp("-type=SRV _http._tcp.echo.default.svc.cluster.local.")).toContain(
      "service = 0 100 80 echo.default.svc.cluster.local.",
    );
    expect(await lookUp("-type=A nothing")).toContain("NXDOMAIN");
  });

  it("forwards a zone as the Corefile says, from when it is written", async () => {
    const name = "-type=A kubernetes.default.svc.cluster.local.";
    expect(await lookUp(name)).toMatch(/Address: 10\.96\.0\.1$/m);
    await us.apply(resolverOutside(us.options.plan.nodeIp));
    const resolver = await expectOutput(
      us,
      ["get", "service/resolver", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"],
      /^10\.113\./,
    );
    const data = { Corefile: `default.svc.cluster.local:53 {\n    forward . ${resolver}\n}\n` };
    const patch = ["patch", "configmap", "coredns", "--type=merge", "-p", JSON.stringify({ data })];
    await eu.kubectl.ok(["-n", "kube-system", ...patch]);
    await expect.poll(() => lookUp(name), { timeout: 10_000 }).toMatch(/Address: 10\.97\.0\.1$/m);
  });
});

/** The cluster's resolver, to be asked from other clusters. */
const resolverOutside = (nodeIp: string): string => `
apiVersion: v1
kind: Service
metadata: { name: resolver, namespace: default }
spec: { type: LoadBalancer, ports: [{ name: dns, port: 53, protocol: UDP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: resolver, namespace: default, labels: { kubernetes.io/service-name: resolver } }
addressType: IPv4
ports: [{ name: dns, port: 53, protocol: UDP }]
endpoints: [{ addresses: [${nodeIp}] }]
`;

const client = `
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: default }
spec: { containers: [{ name: shell, image: nicolaka/netshoot:v0.15, command: [sh, -c, sleep 3600] }] }
---
`;

const container = `
      containers:
        - name: echo
          image: echo
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: http } }
---
`;

const echoes = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: echo, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: echo } }
  template:
    metadata: { labels: { app: echo } }
    spec:${container}
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, namespace: default }
spec:
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:${container}
`;

const service = (name: string, app: string, more = ""): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  selector: { app: ${app} }
  ports: [{ name: http, port: 80, targetPort: http }]
  ${more}
---
`;

const services = [
  service("echo", "echo"),
  service("sticky", "echo", "sessionAffinity: ClientIP"),
  service("outer", "echo", "type: LoadBalancer"),
  service("nobody", "nobody"),
  service("db", "db", "clusterIP: None"),
  service("db-any", "db"),
].join("");
