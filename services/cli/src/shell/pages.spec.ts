/** A list in pages, from a hub that never comes to an end. */
import { expect, it } from "vitest";
import { PAGES_MAX } from "./api.ts";
import { FakeApi, world } from "./api-fixture.ts";

it("so many pages are asked for, and then it says so", { timeout: 30_000 }, async () => {
  const hub = await FakeApi.start({ "GET /v1/clusters": { items: [], next: "more" } });
  const here = await world(hub);
  try {
    const { status, stderr } = await here.run("get", "clusters");
    expect(status).not.toBe(0);
    expect(stderr).toContain("HSA1006");
    expect(hub.requests.filter(({ path }) => path.startsWith("/v1/clusters"))).toHaveLength(PAGES_MAX);
  } finally {
    await here.end();
  }
});
