/** The chart hansa-hub installed for real: two replicas on a real Postgres and NATS, a cluster that joins, a leader that dies. */
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
let forward: ChildProcess | undefined;
let context = "";
/** Of the Service of the hub: the first that asks for one. */
let hubAddress = "";

const kubectl = (...args: string[]): Promise<string> =>
  kube.cluster("eu").kubectl.ok([...SYSTEM, ...args], { timeoutMs: 65_000 });
const hansa = (...args: string[]): Promise<Ran> =>
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
  forward?.kill();
  await kube?.close();
  await rig?.stop();
}, 60_000);

/** As a user of kubectl reaches a Service. */
async function forwardHub(): Promise<string> {
  const { binaries } = kube.cluster("eu").options;
  const command = ["--context", "eu", ...SYSTEM, "port-forward", "service/hansa-hub", ":8443"];
  forward?.kill();
  forward = spawn(binaries.kubectl, command, {
    env: { ...process.env, KUBECONFIG: kube.kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  forward.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await expect.poll(() => said, { timeout: 15_000 }).toMatch(/127\.0\.0\.1:\d+/);
  return `https://${/127\.0\.0\.1:\d+/.exec(said)?.[0]}`;
}

async function writeContext(): Promise<void> {
  const { caPem, token } = rig.target();
  const key = join(rig.folder, "operator.pem");
  writeFileSync(key, rig.operator.pkcs8, { mode: 0o600 });
  const hub = { url: await forwardHub(), caPem, token };
  context = join(rig.folder, "context.json");
  const document = { federation: "lab.hansa", hub, agents: {}, operatorKeys: [key] };
  writeFileSync(context, JSON.stringify(document), { mode: 0o600 });
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

  it("answers its administrator, by the check that the notes name", async () => {
    await writeContext();
    const { status, stdout } = await hansa("check", "--category", "hub,bus");
    expect(status, stdout).toBe(0);
    expect(stdout).toContain("the hub is connected to NATS");
  });

  it("takes in a cluster that joins by the Service's address", async () => {
    const { nodeIp, loadBalancerCidr } = kube.cluster("us").options.plan;
    const grant = ["--region", "us-1", "--cidrs", loadBalancerCidr];
    const made = await hansa("cluster", "token", "us", ...grant);
    expect(made.status, made.stderr).toBe(0);
    const where = ["--hub", `https://${hubAddress}:8443`, "--nats", `nats://${nodeIp}:4222`];
    const joined = await hansa(
      ...[
        "cluster",
        "join",
        "--context",
        "us",
        "--token",
        made.stdout.trim(),
        "--ephemeral",
        ...grant,
        ...where,
      ],
    );
    expect(joined.status, joined.stderr).toBe(0);
    const { stdout } = await hansa("get", "clusters");
    expect(stdout).toMatch(/^us +us-1 .* active/m);
  });

  it("goes on under its other replica when the leader dies", async () => {
    const leads = async (): Promise<string> => {
      const pods = await kubectl("get", "pods", "-l", "app.kubernetes.io/name=hansa-hub", "-o", "name");
      for (const pod of pods.trim().split("\n"))
        if ((await kubectl("logs", pod, "-c", "hub")).includes("hub: leads")) return pod;
      return "";
    };
    const leader = await leads();
    expect(leader).not.toBe("");
    await kubectl("delete", leader, "--grace-period=0", "--force");
    await kubectl("rollout", "status", "deployment/hansa-hub", "--timeout=60s");
    await writeContext();
    const made = async (): Promise<number | null> =>
      (await hansa("cluster", "token", "ap", "--region", "ap-1", "--cidrs", "10.9.0.0/16")).status;
    await expect.poll(made, { timeout: 30_000 }).toBe(0);
  });
});
