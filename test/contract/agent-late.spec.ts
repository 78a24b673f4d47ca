/** A hub that was away for longer than the stream remembers: nothing that was acknowledged is lost. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentRig, replica, service, until, workload } from "./agent-rig.ts";

let rig: AgentRig;
const KEPT = 16;

beforeAll(async () => {
  rig = await AgentRig.start({ nats: { recordsPerLogMax: KEPT } });
  rig.source("eu", document(0));
  rig.configure("eu", await rig.joinToken("eu"));
  await rig.agent("eu");
}, 120_000);

afterAll(async () => {
  await rig?.stop();
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
});
