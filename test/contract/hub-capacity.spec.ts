/** Storage that is promised to members is reserved before they are admitted (design §3 "Bus"). */
import { isHansaError } from "@hansa/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HubMember, HubRig, newMemberKeys } from "./hub-rig.ts";

let rig: HubRig;
const members: HubMember[] = [];
// 8 GiB a source: the 64 GiB of init's nats.conf hold the hub and six members.
beforeAll(async () => {
  rig = await HubRig.start({
    config: { api: { strangersPerSecondMax: 1000 }, nats: { sourcesMax: 2, recordsPerLogMax: 16_384 } },
  });
});
afterAll(async () => {
  for (const member of members) await member.close();
  await rig?.stop();
});

test("the reserve grows with the members; who does not fit is refused, and the token stays good", async () => {
  for (let member = 1; member <= 6; member += 1) members.push(await rig.join(`m${member}`));
  const secret = await rig.joinSecret("m7");
  const refusal = await rig.post("/v1/join", rig.joinBody("m7", newMemberKeys(), secret), "").then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!isHansaError(refusal)) throw new Error(`not refused: ${String(refusal)}`);
  expect(refusal.code).toBe("HSA2002");
  expect(refusal.message).toContain("max_file_store");
  const { data } = await rig.get<{ items: { cluster: string; usedAt: string | null }[] }>("/v1/tokens");
  expect(data.items.find(({ cluster }) => cluster === "m7")?.usedAt).toBeNull();
  const clusters = await rig.get<{ items: { name: string }[] }>("/v1/clusters");
  expect(clusters.data.items.map(({ name }) => name)).toEqual(["m1", "m2", "m3", "m4", "m5", "m6"]);
});
