/** The two kinds of evidence (control lease, own probe of the gateway): each row of the table, and self-doubt. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EnvoyHost, envoyHosts } from "./support/envoy.ts";
import { startLab, type TestLab } from "./support/lab.ts";

interface Link {
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly lease: string;
  readonly probe: string;
  readonly stage: string;
}
interface Locality {
  readonly cluster: string;
  readonly priority: number;
  readonly link: string;
  readonly healthy: number;
  readonly sharePercent: number;
  readonly reason: string;
  readonly because: readonly {
    readonly register: string;
    readonly position: { readonly epoch: number; readonly seq: number };
  }[];
}

const WEB = "eu/shop/web";
const SIDECAR = "eu/shop/web/web-1/sidecar";
const PAIRS = ["ap→eu", "ap→us", "eu→ap", "eu→us", "us→ap", "us→eu"];
const PATIENT_MS = 90_000;

let lab: TestLab;
let gatewayOfUs: string;
beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], (json) => json.failed === 0);
  const { items } = await lab.ok("lab", "status");
  gatewayOfUs = items.find((item: { name: string }) => item.name === "us/gateway").ports.mtls;
  // From here on eu's calls to pay go to other clusters.
  await lab.ok("lab", "kill", "eu/shop/pay");
  await payIsServedBy("us");
});
afterAll(() => lab.down());

const linksAre = (satisfied: (link: (pair: string) => Link) => boolean) =>
  lab.until(
    ["get", "links"],
    ({ items }) => satisfied((pair) => items.find(({ from, to }: Link) => `${from}→${to}` === pair) ?? {}),
    PATIENT_MS,
  );
const allNormal = () => linksAre((link) => PAIRS.every((pair) => link(pair).state === "normal"));
const payIsServedBy = (cluster: string) =>
  lab.until(
    ["lab", "call", WEB, "pay", "-n", "60"],
    ({ served }) => served[`${cluster}/pay`] === 60,
    PATIENT_MS,
  );
const loadOf = (service: string, seconds: number) =>
  lab.hansa("lab", "call", WEB, service, "--rate", "50", "--duration", String(seconds));

async function routeTo(service: string): Promise<(cluster: string) => Locality | undefined> {
  const { localities } = await lab.ok("explain", "route", WEB, service);
  return (cluster) => localities.find((locality: Locality) => locality.cluster === cluster);
}
async function hostOfUs(service: string): Promise<EnvoyHost | undefined> {
  const hosts = await envoyHosts(lab, SIDECAR, `http.${service}.shop.svc.lab.hansa`);
  return hosts.find(({ address }) => address === gatewayOfUs);
}

it("00: the matrix names every ordered pair, and a route names the link that it rests on", async () => {
  const { items } = await allNormal();
  expect(items.map(({ from, to }: Link) => `${from}→${to}`).sort()).toEqual(PAIRS);
  for (const item of items) expect(item).toMatchObject({ lease: "ok", probe: "ok", selfDoubt: false });
  const written = items.find(({ from, to }: Link) => from === "eu" && to === "us").setBy;
  const us = (await routeTo("catalog"))("us");
  const link = us?.because.find(({ register }) => register === "eu/sum/link/us")?.position;
  expect(`eu/sum/${link?.epoch}/${link?.seq}`).toBe(written);
});

it("01: lease lost, probe ok: stale, kept and used, but behind another exporter; then normal again", async () => {
  const load = loadOf("catalog", 20);
  await lab.ok("lab", "pause", "us/agent");
  await linksAre((link) => link("eu→us").state === "stale" && link("ap→us").state === "stale");
  const { items } = await lab.ok("get", "links");
  expect(items.find(({ from, to }: Link) => from === "eu" && to === "us")).toMatchObject({
    lease: "lost",
    probe: "ok",
  });
  expect(items.find(({ from, to }: Link) => from === "eu" && to === "ap").state).toBe("normal");
  expect((await routeTo("catalog"))("us")).toMatchObject({ link: "stale", healthy: 1, sharePercent: 100 });
  expect(await hostOfUs("catalog")).toEqual({ address: gatewayOfUs, health: "HEALTHY" });
  expect((await load).json).toMatchObject({ failed: 0 });
  const answer = await lab.ok("lab", "call", WEB, "catalog", "-n", "100");
  expect(answer.served).toEqual({ "us/catalog": 100 });

  const pay = await routeTo("pay");
  expect(pay("us")).toMatchObject({ link: "stale", healthy: 2 });
  expect(pay("us")?.reason).toMatch(/demoted/);
  expect(pay("us")?.priority).toBeGreaterThanOrEqual(pay("ap")?.priority ?? Number.NaN);
  expect(pay("ap")?.sharePercent).toBeGreaterThan(0);

  await lab.ok("lab", "resume", "us/agent");
  await allNormal();
  await payIsServedBy("us");
});

it("02: lease ok, probe fails: unreachable, listed as UNHEALTHY, others take over with 0 lost; then normal again", async () => {
  const load = loadOf("pay", 12);
  await lab.ok("lab", "stop", "us/gateway");
  await linksAre((link) => link("eu→us").state === "unreachable" && link("ap→us").state === "unreachable");
  const { items } = await lab.ok("get", "links");
  expect(items.find(({ from, to }: Link) => from === "eu" && to === "us")).toMatchObject({
    lease: "ok",
    probe: "fail",
    stage: "tcp",
  });
  // What us itself sees of the others is not touched.
  for (const { from, state } of items) if (from === "us") expect(state).toBe("normal");
  const pay = await routeTo("pay");
  expect(pay("us")).toMatchObject({ link: "unreachable", sharePercent: 0 });
  expect(pay("us")?.because.map(({ register }) => register)).toContain("eu/sum/link/us");
  await expect.poll(() => hostOfUs("pay"), { timeout: PATIENT_MS }).toMatchObject({ health: "UNHEALTHY" });
  expect((await load).json).toMatchObject({ failed: 0 });
  await payIsServedBy("ap");

  await lab.ok("lab", "start", "us/gateway");
  await allNormal();
  await payIsServedBy("us");
  await expect.poll(() => hostOfUs("pay"), { timeout: PATIENT_MS }).toMatchObject({ health: "HEALTHY" });
});

it("03: both lost: withdrawn here, still in the catalogue, and back by itself", async () => {
  const load = loadOf("pay", 20);
  await lab.ok("lab", "kill", "us/gateway", "us/agent");
  await linksAre((link) => link("eu→us").state === "lost" && link("ap→us").state === "lost");
  expect((await routeTo("pay"))("us")).toBeUndefined();
  await expect.poll(() => hostOfUs("pay"), { timeout: PATIENT_MS }).toBeUndefined();
  expect((await load).json).toMatchObject({ failed: 0 });
  // Nobody is left who offers it: at once, with a reason, not after a time-out.
  const { json } = await lab.hansa("lab", "call", WEB, "catalog", "-n", "5");
  expect(json).toMatchObject({ failed: 5, statuses: { "503": 5 } });
  expect(json.firstFailure.detail).not.toBe("");
  const services = await lab.ok("get", "services");
  expect(services.items).toContainEqual(expect.objectContaining({ cluster: "us", service: "shop/catalog" }));

  await lab.ok("lab", "start", "us/agent", "us/gateway");
  await allNormal();
  await payIsServedBy("us");
  await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], ({ failed }) => failed === 0, PATIENT_MS);
});

it("04: an importer that is cut off from everything doubts itself and withdraws nothing", async () => {
  await lab.ok("lab", "start", "eu/shop/pay");
  await payIsServedBy("eu");
  const { position } = await lab.ok("get", "links");
  await lab.ok("lab", "pause", "nats", "us/gateway", "ap/gateway");
  const ofEu = (json: { items: { cluster: string }[] }) =>
    json.items.find(({ cluster }) => cluster === "eu") as { state: string; code: string } | undefined;
  await lab.until(["status"], (json) => ofEu(json)?.code === "HSA4003", PATIENT_MS);
  // Longer than a lease lasts: the doubt itself must hold.
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  expect(ofEu(await lab.ok("status"))).toMatchObject({ state: "SelfDoubt", code: "HSA4003" });
  for (const service of ["pay", "catalog"]) {
    expect((await routeTo(service))("us")).toMatchObject({ link: "normal" });
    expect(await hostOfUs(service)).toMatchObject({ health: "HEALTHY" });
  }
  const check = await lab.hansa("check", "--category", "gateways");
  expect(check.stdout).toContain("HSA4003");
  expect(check.json.success, check.stdout).toBe(false);
  expect((await lab.ok("lab", "call", WEB, "pay", "-n", "50")).served).toEqual({ "eu/pay": 50 });

  await lab.ok("lab", "resume", "nats", "us/gateway", "ap/gateway");
  await allNormal();
  // What eu noted while it was cut off reaches the archive a moment after the bus is back.
  const linksSet = ({ items }: { items: { type: string; data: Link }[] }) =>
    items.filter(({ type }) => type === "LinkSet");
  const events = ["events", "--source", "eu", "--since", String(position), "--limit", "999"];
  const told = linksSet(await lab.until(events, (json) => linksSet(json).length > 0, PATIENT_MS));
  for (const { data } of told) expect(data.state).toBe("normal");
  await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], ({ failed }) => failed === 0, PATIENT_MS);
});
