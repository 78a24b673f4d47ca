/** A hub that was away for longer than the stream remembers: nothing that was acknowledged is lost. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../deploy/tools/child.ts";
import { type LineProxy, lineProxy } from "../chaos/tcp-proxy.ts";
import { AgentRig, replica, service, until, workload } from "./agent-rig.ts";

let rig: AgentRig;
/** The hub's other address, which the configuration names after the join. */
let moved: LineProxy;
const KEPT = 16;

beforeAll(async () => {
  rig = await AgentRig.start({ nats: { recordsPerLogMax: KEPT } });
  rig.source("eu", document(0));
  rig.configure("eu", await rig.joinToken("eu"));
  await rig.agent("eu");
  const { hostname: host, port } = new URL(rig.hub.target().url);
  moved = await lineProxy(host, await freePort(host), { host, port: Number(port) });
  rig.configure("eu", "", { joinToken: undefined, hub: { url: `https://${host}:${moved.port}` } });
  await rig.restart("eu", "stop");
}, 120_000);

afterAll(async () => {
  await rig?.stop();
  await moved?.close();
});

const document = (round: number) => ({
  services: [
    service("pay", "http"),
    { ...service("cart", "http"), created: new Date(1e12 + round).toISOString() },
  ],
  workloads: [workload("pay", [replica("pay-1", rig.address("eu", 10))])],
});

interface Status {
  readonly writer: {
    readonly outbox: number;
    readonly lanes: readonly { readonly position: { readonly seq: number } }[];
  };
}

test("records that left the stream before the hub came back reach its archive by HTTPS, without a gap", async () => {
  await rig.hub.hub.kill();
  const seq = async () => (await rig.get<Status>("eu", "/v1/status")).writer.lanes[0]?.position.seq ?? 0;
  const before = await seq();
  for (let round = 1; round <= 2 * KEPT; round++) {
    const last = await seq();
    rig.source("eu", document(round));
    await until("the change is written", async () => (await seq()) > last);
  }
  const written = (await seq()) - before;
  expect(written).toBeGreaterThanOrEqual(2 * KEPT);
  await rig.hub.startHub();
  await until(
    "everything is committed",
    async () => (await rig.get<Status>("eu", "/v1/status")).writer.outbox === 0,
    60_000,
  );
  const { data } = await rig.hub.get<{ items: { type: string }[] }>("/v1/events?source=eu&limit=900");
  const services = data.items.filter(({ type }) => type === "ServiceSet");
  expect(services.length).toBeGreaterThanOrEqual(written);
  expect(rig.log("eu")).toContain("late records brought to the hub");
  expect(
    moved.opened(),
    "the hub is where the configuration says now, not where it was at the join",
  ).toBeGreaterThan(0);
});
