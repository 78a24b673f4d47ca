/** An agent whose token is replaced again and again, as kubelet does it, while its cluster changes: what the other cluster sees. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { share, tell } from "../../support/tier.ts";
import { McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { type AgentAccount, agentAccount } from "../support/account.ts";
import { asPod, inPod, replaceToken } from "../support/as-pod.ts";
import { clientOf, ports } from "../support/client.ts";
import { counted, endpointsOf, statusOf, withdrawn } from "./sight.ts";

const ROTATIONS = share(200);
/** An API server goes on believing for 10 s what it has once looked at: a turn takes so long that this is shorter than all. */
const TURN_MS = 1000;
/** RSS, over the last three quarters of the rotations, garbage included. */
const GROWTH_MIB_MAX = 32;
const WAIT = { timeout: 20_000, interval: 50 };

let rig: McsRig;
let account: AgentAccount;

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
  const eu = rig.kube.cluster("eu");
  account = await agentAccount(eu, clientOf(eu, ports(), { rights: undefined }));
  await rig.agents.end("eu", "stop");
  const file = join(rig.agents.folder, "eu", "agent.yaml");
  const config = parse(readFileSync(file, "utf8")) as { source: { kubernetes: object } };
  const kubernetes = { ...config.source.kubernetes, kubeconfig: undefined, context: undefined };
  writeFileSync(file, stringify({ ...config, source: { kubernetes } }), { mode: 0o600 });
  const token = await account.boundToken("pod-0");
  await rig.agents.agent("eu", {
    env: inPod(eu),
    within: asPod(eu, join(rig.agents.folder, "eu", "account"), token),
  });
}, 120_000);
afterAll(() => rig?.stop());

const rssMib = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${rig.agents.pidOf("eu")}/status`, "utf8"))?.[1]) / 1024;

it(`${ROTATIONS} tokens, each refused soon after the next one comes: nothing is withdrawn, and memory stays flat`, async () => {
  await rig.apply("eu", service("kept"), slice("kept", ["10.241.0.1"]), serviceExport("kept"));
  await rig.apply("eu", service("moving"), slice("moving", ["10.241.1.0"]), serviceExport("moving"));
  const { uid } = (await rig.import("us", "kept")).metadata;
  let fromMib = 0;
  for (let turn = 1; turn <= ROTATIONS; turn += 1) {
    const overMs = performance.now() + TURN_MS;
    replaceToken(rig.agents.pidOf("eu"), await account.boundToken(`pod-${turn}`));
    await account.deletePod(`pod-${turn - 1}`);
    const address = `10.241.1.${turn % 250}`;
    await rig.apply("eu", slice("moving", [address]));
    await expect
      .poll(() => endpointsOf(rig, "us", "eu"), WAIT)
      .toEqual(["shop/kept 10.241.0.1", `shop/moving ${address}`]);
    // Something to write, with the token of now.
    await rig.apply(
      "us",
      service("theirs"),
      slice("theirs", [`10.242.0.${turn % 250}`]),
      serviceExport("theirs"),
    );
    await rig.import("eu", "theirs");
    if (turn === Math.ceil(ROTATIONS / 4)) fromMib = rssMib();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, overMs - performance.now())));
  }
  const grownMib = rssMib() - fromMib;
  const lost = (await withdrawn(rig, "eu")).filter((key) => !key.startsWith("endpoint/shop/moving/"));
  const reads = await counted(rig, "eu", "hansa_kube_credential_reads_total", 'outcome="read"');
  const { source } = await statusOf(rig, "eu");
  expect(lost).toEqual([]);
  expect((await rig.import("us", "kept")).metadata.uid).toBe(uid);
  expect(source.problems).toEqual([]);
  // Once at its start; then whenever a token was refused.
  expect(reads).toBeGreaterThan(1);
  expect(grownMib).toBeLessThan(GROWTH_MIB_MAX);
  const seen = `${ROTATIONS} rotations, ${reads} tokens read, ${lost.length} withdrawn, ${grownMib.toFixed(1)} MiB`;
  process.stderr.write(`${seen}\n`);
  tell({ promise: "200 rotations of an agent's token: nothing withdrawn, memory flat", seen, kept: true });
}, 900_000);
