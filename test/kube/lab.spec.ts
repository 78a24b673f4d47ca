/** `hansa lab up --kube` as a user meets it: what it says to type, what is then exported, what the CLI tells, and its end. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { kubeBinaries } from "../../deploy/tools/kube/binaries.ts";
import { descendantsOf, isRunning } from "./support/descendants.ts";
import { type Ran, runHansa, runProgram } from "./support/hansa.ts";

const CLUSTERS = ["eu", "us", "ap"];
const state = mkdtempSync(join(tmpdir(), "hansa-lab-"));
const env = { HANSA_LAB_STATE: state, KUBECONFIG: join(state, "kube/kubeconfig") };
const hansa = (...args: string[]): Promise<Ran> => runHansa(args, env);
const { kubectl: program } = kubeBinaries();

async function kubectl(context: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(program, ["--context", context, ...args], env);
  expect(status, `kubectl ${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

/** What answers a pod of us by the clusterset name: a cluster, or "" for nobody. */
async function whoAnswers(): Promise<string> {
  const url = "http://hello.shop.svc.clusterset.local/";
  const exec = ["--context", "us", "-n", "shop", "exec", "deploy/web", "--", "curl", "-sS", "-m", "2", url];
  const { status, stdout } = await runProgram(program, exec, env);
  return status === 0 ? (JSON.parse(stdout) as { cluster: string }).cluster : "";
}

const answeredBy = (cluster: string): Promise<void> =>
  expect.poll(whoAnswers, { timeout: 30_000, interval: 50 }).toBe(cluster);

let up: Ran;
let supervisor: number;
beforeAll(async () => {
  up = await hansa("lab", "up", "--kube", "--detach", "-o", "json");
  expect(up.status, up.stderr).toBe(0);
  const { items } = JSON.parse(up.stdout) as { items: { name: string; pid: number }[] };
  const hub = items.find(({ name }) => name === "hub")?.pid ?? 0;
  supervisor = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${hub}/status`, "utf8"))?.[1]);
}, 240_000);
afterAll(async () => {
  await hansa("lab", "down");
  rmSync(state, { recursive: true, force: true });
}, 60_000);

describe("what it says", () => {
  it("is where kubectl finds the clusters, and commands that work", async () => {
    expect(up.stderr).toContain(`export KUBECONFIG=${env.KUBECONFIG}`);
    const [call = ""] = up.stderr.match(/(?<=^ {2}kubectl )--context eu .* curl .*$/m) ?? [];
    const { status, stdout } = await runProgram(program, call.split(" "), env);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { cluster: "eu", workload: "pay" }]);
  });
});

describe("a lab's clusters", () => {
  it.each(CLUSTERS)("%s has what hansa cluster join installs", async (cluster) => {
    const again = await hansa(
      ...["cluster", "join", "--context", cluster, "--ephemeral", "--patch-dns", "-o", "json"],
    );
    expect(again.status, again.stderr).toBe(0);
    const { applied } = JSON.parse(again.stdout) as { applied: { outcome: string }[] };
    expect(applied.filter(({ outcome }) => outcome !== "unchanged")).toEqual([]);
    await kubectl(cluster, "-n", "hansa-system", "get", "statefulset", "hansa-agent");
  });

  it("pass every check", async () => {
    for (const cluster of CLUSTERS) {
      const { status, stdout } = await hansa("check", "--context", cluster);
      expect(status, stdout).toBe(0);
    }
  });

  it("have the topology's objects, as hansa lab topology --kubernetes prints them", async () => {
    const { stdout } = await hansa("lab", "topology", "--kubernetes", "-o", "json");
    const objects = JSON.parse(stdout) as Record<string, { kind: string }[]>;
    expect(Object.keys(objects)).toEqual(CLUSTERS);
    for (const [cluster, manifests] of Object.entries(objects)) {
      const kinds = new Set(manifests.map(({ kind }) => kind));
      for (const kind of ["ServiceExport", "AllowPolicy", "FailoverPolicy"]) expect(kinds).toContain(kind);
      const file = join(state, `${cluster}.json`);
      writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests }));
      const { items } = JSON.parse(await kubectl(cluster, "get", "-f", file, "-o", "json")) as {
        items: object[];
      };
      expect(items).toMatchObject(manifests);
    }
    const text = await hansa("lab", "topology", "--kubernetes");
    const printed = parseAllDocuments(text.stdout).map((document) => document.toJS() as unknown);
    expect(printed).toEqual(Object.values(objects).flat());
  });

  it("hold the topology's policies", async () => {
    const accepted = await kubectl(
      "us",
      ...["get", "allowpolicies,failoverpolicies", "-A", "-o"],
      'jsonpath={range .items[*]}{.kind} {.status.conditions[?(@.type=="Accepted")].status},{end}',
    );
    expect(accepted.split(",").filter(Boolean).sort()).toEqual([
      ...Array.from({ length: 4 }, () => "AllowPolicy True"),
      "FailoverPolicy True",
    ]);
  });
});

const HELLO = [
  `apiVersion: apps/v1
kind: Deployment
metadata: { name: hello, namespace: shop }
spec:
  selector: { matchLabels: { app: hello } }
  template:
    metadata: { labels: { app: hello } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: echo
          image: echo
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }`,
  `apiVersion: v1
kind: Service
metadata: { name: hello, namespace: shop }
spec: { selector: { app: hello }, ports: [{ name: http, port: 80, targetPort: 8080, appProtocol: http }] }`,
  `apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: { name: hello, namespace: shop }`,
].join("\n---\n");

async function deploy(cluster: string): Promise<void> {
  const file = join(state, "hello.yaml");
  writeFileSync(file, HELLO);
  await kubectl(cluster, "apply", "-f", file);
  await kubectl(cluster, "-n", "shop", "rollout", "status", "deployment/hello", "--timeout=60s");
}

describe("an export", () => {
  it("of eu answers a pod of us by its clusterset name", async () => {
    await deploy("eu");
    const startMs = performance.now();
    await answeredBy("eu");
    process.stdout.write(`answered ${Math.round(performance.now() - startMs)} ms after readiness\n`);
  });

  it("is what get, describe and explain tell of", async () => {
    const services = await hansa("get", "services", "--context", "us");
    expect(services.stdout).toMatch(/^eu +shop\/hello +http:80\/http +all/m);
    const described = await hansa("describe", "service", "shop/hello", "--context", "us");
    expect(described.stdout).toMatch(/^eu +ClusterSetIP +http:80\/http/m);
    const route = await hansa("explain", "route", "us/shop/web", "hello", "--context", "us");
    expect(route.stdout).toMatch(/^0 +eu +eu-west-1 +gateway +1\/1 +normal +100 %/m);
    const code = await hansa("explain", "HSA7041", "--context", "us");
    expect(code.stdout).toContain("There is no agent of Hansa in this cluster.");
  });

  it("of a second region is preferred as the topology says, and left when it has no pod", async () => {
    await deploy("ap");
    await answeredBy("ap");
    await kubectl("ap", "-n", "shop", "scale", "deployment/hello", "--replicas=0");
    await answeredBy("eu");
    const route = await hansa("explain", "route", "us/shop/web", "hello", "--context", "us");
    expect(route.stdout).toMatch(/^1 +eu .* 1\/1 +normal +100 %|^0 +eu .* 1\/1 +normal +100 %/m);
  });
});

describe("lab down", () => {
  it("leaves no process", async () => {
    const started = descendantsOf(supervisor);
    expect(started.length).toBeGreaterThan(20);
    const { status } = await hansa("lab", "down");
    expect(status).toBe(0);
    expect(started.filter(isRunning)).toEqual([]);
    // Nobody answers at its socket any more; it ends with that.
    await expect.poll(() => isRunning(supervisor), { timeout: 2000, interval: 10 }).toBe(false);
  });
});
