/** The chart hansa-hub installed for real: two replicas on a real Postgres and NATS, callers who meet either, a leader that dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chartFolder, helmSdk } from "../../deploy/tools/helm/helm.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { root } from "../../deploy/tools/paths.mjs";
import { HubRig } from "../contract/hub-rig.ts";
import { type Ran, runHansa, runProgram } from "./support/hansa.ts";

const SYSTEM = ["-n", "hansa-system"];
let rig: HubRig;
let kube: Kube;
/** One at a time. */
let portForward: ChildProcess | undefined;
/** Of the Service of the hub: the first that asks for one. */
let hubAddress = "";

const kubectl = (...args: string[]): Promise<string> =>
  kube.cluster("eu").kubectl.ok([...SYSTEM, ...args], { timeoutMs: 65_000 });
const hansaBy = (context: string, ...args: string[]): Promise<Ran> =>
  runHansa(args, { KUBECONFIG: kube.kubeconfig, HANSA_CONTEXT: context });

beforeAll(async () => {
  rig = await HubRig.start();
  // Its folder, database and bus stay: the chart's hub takes over.
  await rig.hub.stop();
  const forwards = [
    { port: 4222, to: new URL(rig.nats.url).host },
    { port: 5432, to: new URL(rig.postgresUrl).host },
  ];
  kube = await startKube({ clusters: ["eu", "us"], nodes: { forwards } });
  hubAddress = kube.cluster("eu").options.plan.loadBalancerCidr.replace(/0\/16$/, "1");
}, 120_000);
afterAll(async () => {
  portForward?.kill();
  await kube?.close();
  await rig?.stop();
}, 60_000);

/** As a user of kubectl reaches a Service or a pod: the URL here. */
async function forward(what: string): Promise<string> {
  const { binaries } = kube.cluster("eu").options;
  const command = ["--context", "eu", ...SYSTEM, "port-forward", what, ":8443"];
  const child = spawn(binaries.kubectl, command, {
    env: { ...process.env, KUBECONFIG: kube.kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  portForward?.kill();
  portForward = child;
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await expect.poll(() => said, { timeout: 30_000 }).toMatch(/127\.0\.0\.1:\d+/);
  return `https://${/127\.0\.0\.1:\d+/.exec(said)?.[0]}`;
}

/** The context of an administrator who asks this Service or this pod. */
async function contextOf(what: string): Promise<string> {
  const { caPem, token } = rig.target();
  const key = join(rig.folder, "operator.pem");
  writeFileSync(key, rig.operator.pkcs8, { mode: 0o600 });
  const hub = { url: await forward(what), caPem, token };
  const file = join(rig.folder, `${what.replace("/", "-")}.json`);
  const document = { federation: "lab.hansa", hub, agents: {}, operatorKeys: [key] };
  writeFileSync(file, JSON.stringify(document), { mode: 0o600 });
  return file;
}

interface Replicas {
  readonly leader: string;
  readonly standby: string;
}

const POD_NAMES = `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`;

/** Role → `pod/<name>`, as each says itself, once one leads, one stands by, and both are ready. */
async function replicas(): Promise<Replicas> {
  let found: Record<string, string> = {};
  const roles = async () => {
    found = {};
    const names = await kubectl("get", "pods", "-l", "app.kubernetes.io/name=hansa-hub", "-o", POD_NAMES);
    for (const name of names.trim().split(" ")) {
      const path = `/api/v1/namespaces/hansa-system/pods/https:${name}:8443/proxy/readyz`;
      const role = await kubectl("get", "--raw", path).then(
        (said) => (JSON.parse(said) as { data: { role: string } }).data.role,
        String,
      );
      found[role] = `pod/${name}`;
    }
    return Object.keys(found).sort();
  };
  await expect.poll(roles, { timeout: 60_000, interval: 500 }).toEqual(["leader", "standby"]);
  return found as unknown as Replicas;
}

const GRANT = ["--region", "ap-1", "--cidrs", "10.9.0.0/16"];

/** A member's administrator is served by whichever replica answers. */
async function expectServed(what: string): Promise<void> {
  const context = await contextOf(what);
  const made = await hansaBy(context, "cluster", "token", "ap", ...GRANT);
  expect([what, made.status, made.stderr]).toEqual([what, 0, expect.stringContaining("for ap, once")]);
  const checked = await hansaBy(context, "check", "--category", "hub,bus");
  expect([what, checked.status], checked.stdout).toEqual([what, 0]);
  expect(checked.stdout).toContain("the hub is connected to NATS");
}

describe("the chart hansa-hub", () => {
  it("is installed by Helm, and both replicas become ready", async () => {
    await kube.cluster("eu").kubectl.ok(["create", "namespace", "hansa-system"]);
    const { nodeIp } = kube.cluster("eu").options.plan;
    const postgres = new URL(rig.postgresUrl);
    postgres.host = `${nodeIp}:5432`;
    const keys = globSync(join(rig.dir, "*")).map((file) => `--from-file=${file}`);
    await kubectl("create", "secret", "generic", "hansa-hub", ...keys);
    await kubectl("create", "secret", "generic", "hansa-postgres", `--from-literal=url=${postgres.href}`);
    const values = join(rig.folder, "values.json");
    const nats = { servers: [`nats://${nodeIp}:4222`], replicas: 1 };
    writeFileSync(values, JSON.stringify({ api: { hosts: [hubAddress, "127.0.0.1"] }, nats }));
    const install = [
      join(root, "deploy/tools/helm/install.py"),
      "install",
      "hansa-hub",
      chartFolder("hansa-hub"),
    ];
    const { status, stdout, stderr } = await runProgram(
      "python3",
      [...install, "--namespace", "hansa-system", "--values", values],
      { PYTHONPATH: helmSdk(), PYTHONDONTWRITEBYTECODE: "1", KUBECONFIG: kube.kubeconfig },
    );
    expect(status, stderr).toBe(0);
    expect(stdout.trim()).toMatch(/hansa check$/);
    await kubectl("rollout", "status", "deployment/hansa-hub", "--timeout=60s");
    const address = await kubectl(
      ...["get", "service", "hansa-hub", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"],
    );
    expect(address).toBe(hubAddress);
  });

  it("answers its administrator at each replica and by the Service, as the notes say", async () => {
    const { leader, standby } = await replicas();
    for (const what of [standby, leader, "service/hansa-hub"]) await expectServed(what);
  });

  it("takes in a cluster that joins by the Service's address", async () => {
    const { standby } = await replicas();
    const context = await contextOf(standby);
    const { nodeIp, loadBalancerCidr } = kube.cluster("us").options.plan;
    const grant = ["--region", "us-1", "--cidrs", loadBalancerCidr];
    const made = await hansaBy(context, "cluster", "token", "us", ...grant);
    expect(made.status, made.stderr).toBe(0);
    const token = ["--token", made.stdout.trim()];
    const where = ["--hub", `https://${hubAddress}:8443`, "--nats", `nats://${nodeIp}:4222`];
    const join = ["cluster", "join", "--context", "us", ...token, "--ephemeral", ...grant, ...where];
    const joined = await hansaBy(context, ...join);
    expect(joined.status, joined.stderr).toBe(0);
    const { stdout } = await hansaBy(context, "get", "clusters");
    expect(stdout).toMatch(/^us +us-1 .* active/m);
  });

  it("goes on under its other replica when the leader dies", async () => {
    await kubectl("delete", (await replicas()).leader, "--grace-period=0", "--force");
    const { leader, standby } = await replicas();
    for (const what of [standby, leader, "service/hansa-hub"]) await expectServed(what);
  });
});
