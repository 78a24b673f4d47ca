/** Thousands of EndpointSlice changes at once: the other cluster ends with the truth, and no queue, memory or rate runs away meanwhile. */
import { readFileSync } from "node:fs";
import { ENDPOINT_SLICES, type KubeClient, WRITE_LIMITS } from "@hansa/kube";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Name } from "../../contract/agent-rig.ts";
import { tell } from "../../support/tier.ts";
import { McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { clientOf, ports } from "../support/client.ts";
import { each, sure } from "../support/slices.ts";
import { counted, endpointsOf, statusOf } from "./sight.ts";

const SERVICES = 50;
const TURNS = 100;
const CHANGES = SERVICES * TURNS;
const ENDPOINTS = 10;
const LOOK_MS = 200;
/** The chart's limit is 1 GiB, and Node takes what a machine has before it collects. */
const AGENT_MIB_MAX = 700;
const WAIT = { timeout: 120_000, interval: 200 };

let rig: McsRig;
let admin: KubeClient;
beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
  admin = clientOf(rig.kube.cluster("eu"), ports(), { rights: undefined });
}, 120_000);
afterAll(() => rig?.stop());

const names = Array.from({ length: SERVICES }, (_, index) => `s${String(index).padStart(2, "0")}`);
const addresses = (at: number, turn: number): string[] =>
  Array.from({ length: ENDPOINTS }, (_, index) => `10.241.${(turn + index) % 250}.${at}`);

const change = (at: number, turn: number) =>
  sure(admin, {
    method: "PUT",
    target: { resource: ENDPOINT_SLICES, namespace: "shop", name: `${names[at]}-manual` },
    body: slice(names[at] ?? "", addresses(at, turn)),
  });

const slicesInUs = async (): Promise<string[]> => {
  const found = await rig.list("us", "endpointslice", "endpointslice.kubernetes.io/managed-by=mcs.hansa.dev");
  return found
    .flatMap(({ metadata, endpoints = [] }) =>
      endpoints.flatMap((endpoint) =>
        endpoint.addresses.map(
          (address) => `shop/${metadata.labels?.["multicluster.kubernetes.io/service-name"]} ${address}`,
        ),
      ),
    )
    .sort();
};

const processOf = (name: Name, file: string): string =>
  readFileSync(`/proc/${rig.agents.pidOf(name)}/${file}`, "utf8");
const rssMib = (name: Name): number => Number(/VmRSS:\s+(\d+)/.exec(processOf(name, "status"))?.[1]) / 1024;
/** User and system: the kernel counts hundredths of a second. */
function cpuMs(name: Name): number {
  const fields = (processOf(name, "stat").split(") ")[1] ?? "").split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

interface Most {
  euMib: number;
  usMib: number;
  pending: number;
  outbox: number;
}

/** The most that was seen of each while `run` runs. */
async function mostWhile(run: () => Promise<void>): Promise<Most> {
  const most: Most = { euMib: 0, usMib: 0, pending: 0, outbox: 0 };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      most.euMib = Math.max(most.euMib, rssMib("eu"));
      most.usMib = Math.max(most.usMib, rssMib("us"));
      most.pending = Math.max(most.pending, await counted(rig, "eu", "hansa_queue_depth", "pending"));
      most.outbox = Math.max(most.outbox, await counted(rig, "eu", "hansa_queue_depth", '"outbox"'));
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  })();
  await run();
  isOver = true;
  await watching;
  return most;
}

/** Changes every service's endpoints from turn to turn, as fast as the API server takes it, and waits until the last ones are everywhere. */
async function burst(firstTurn: number, lastTurn: number): Promise<Most & { readonly lastMs: number }> {
  let lastMs = 0;
  const most = await mostWhile(async () => {
    const changes = (lastTurn - firstTurn) * SERVICES;
    await each(
      Array.from({ length: changes }, (_, index) => String(index)),
      async (index) =>
        void (await change(Number(index) % SERVICES, firstTurn + Math.floor(Number(index) / SERVICES))),
    );
    for (const at of names.keys()) await change(at, lastTurn);
    const writtenMs = performance.now();
    const truth = names.flatMap((name, at) =>
      addresses(at, lastTurn).map((address) => `shop/${name} ${address}`),
    );
    await expect.poll(() => endpointsOf(rig, "us", "eu"), WAIT).toEqual(truth.sort());
    await expect.poll(slicesInUs, WAIT).toEqual(truth);
    lastMs = performance.now() - writtenMs;
  });
  return { ...most, lastMs };
}

it(`${CHANGES} EndpointSlice changes in two bursts are all seen in the other cluster, within every bound`, async () => {
  await rig.apply("eu", ...names.map((name) => service(name, { clusterIP: "None" })));
  await rig.apply("eu", ...names.map((name, at) => slice(name, addresses(at, 0))));
  await rig.apply("eu", ...names.map((name) => serviceExport(name)));
  await expect.poll(async () => (await slicesInUs()).length, WAIT).toBe(SERVICES * ENDPOINTS);

  const writesBefore = await counted(rig, "us", "hansa_kube_writes_total");
  const cpuBefore = [cpuMs("eu"), cpuMs("us")] as const;
  const startMs = performance.now();
  const first = await burst(1, TURNS / 2);
  const second = await burst(TURNS / 2, TURNS);
  const tookMs = performance.now() - startMs;
  const writes = (await counted(rig, "us", "hansa_kube_writes_total")) - writesBefore;
  const [euUs, usUs] = [cpuMs("eu") - cpuBefore[0], cpuMs("us") - cpuBefore[1]].map((ms) =>
    Math.round((ms * 1000) / CHANGES),
  );
  const shown = [
    `all in ${(tookMs / 1000).toFixed(1)} s, the last of each burst ${first.lastMs.toFixed(0)} and ${second.lastMs.toFixed(0)} ms after it was written`,
    `CPU per change ${euUs} and ${usUs} µs`,
    `${writes} writes in the other`,
    `at most ${second.pending} registers pending, ${second.outbox} records in the outbox`,
    `at most ${second.euMib.toFixed(0)} and ${second.usMib.toFixed(0)} MiB, ${first.euMib.toFixed(0)} and ${first.usMib.toFixed(0)} in the first`,
  ].join("; ");
  process.stderr.write(`${CHANGES} EndpointSlice changes: ${shown}\n`);
  tell({
    promise: "5000 EndpointSlice changes in a burst are all seen elsewhere, within every bound",
    seen: shown,
    kept: true,
  });

  const { writesPerSecondMax, burstMax, atOnceMax } = WRITE_LIMITS;
  expect(writes).toBeLessThanOrEqual((tookMs / 1000) * writesPerSecondMax + burstMax + atOnceMax);
  // One for each register that there is: endpoints of two turns, and sums.
  expect(Math.max(first.pending, second.pending)).toBeLessThanOrEqual(
    2 * SERVICES * ENDPOINTS + 2 * SERVICES,
  );
  expect(Math.max(first.euMib, second.euMib, first.usMib, second.usMib)).toBeLessThan(AGENT_MIB_MAX);
  for (const name of ["eu", "us"] as const) expect((await statusOf(rig, name)).findings).toEqual([]);
  const digestIn = async (name: "eu" | "us"): Promise<string> => (await statusOf(rig, name)).digest;
  // Asked one after the other: a link that is judged anew meanwhile is in one of the answers only.
  await expect
    .poll(async () => (await digestIn("eu")) === (await digestIn("us")), { timeout: 30_000 })
    .toBe(true);
}, 400_000);
