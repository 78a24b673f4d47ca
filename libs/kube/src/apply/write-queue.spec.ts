import { describe, expect, it } from "vitest";
import { problem } from "../client/problem.ts";
import { ENDPOINT_SLICES } from "../resources.ts";
import { TokenBucket } from "./token-bucket.ts";
import { FORBIDDEN_TRIES, outcomeOf, requestOf, slotOf, type Write } from "./write.ts";
import { WriteQueue } from "./write-queue.ts";

describe("writes that wait", () => {
  it("go in the order in which their objects began to wait, each with its newest", () => {
    const queue = new WriteQueue<string>(10);
    queue.put("a", "a1");
    queue.put("b", "b1");
    expect(queue.put("a", "a2")).toEqual({ replaced: "a1" });
    expect([queue.next(0), queue.next(0), queue.next(0)]).toEqual([
      { slot: "a", item: "a2" },
      { slot: "b", item: "b1" },
      undefined,
    ]);
  });

  it("wait while another of the same object is under way", () => {
    const queue = new WriteQueue<string>(10);
    queue.put("a", "a1");
    queue.next(0);
    expect(queue.put("a", "a2")).toEqual({ replaced: undefined });
    expect(queue.next(0)).toBeUndefined();
    queue.done("a");
    expect(queue.next(0)?.item).toBe("a2");
  });

  it("go again after their rest, unless a newer one waits, which then rests too", () => {
    const queue = new WriteQueue<string>(10);
    queue.put("a", "a1");
    queue.next(0);
    expect(queue.failed("a", "a1", 500)).toBe(true);
    expect([queue.next(499), queue.wakeMs()]).toEqual([undefined, 500]);
    expect(queue.next(500)?.item).toBe("a1");
    queue.put("a", "a2");
    expect(queue.failed("a", "a1", 900)).toBe(false);
    expect(queue.next(899)).toBeUndefined();
    expect(queue.next(900)?.item).toBe("a2");
    expect(queue.wakeMs()).toBeUndefined();
  });

  it("are bounded by objects, not by writes", () => {
    const queue = new WriteQueue<string>(2);
    queue.put("a", "a1");
    queue.put("b", "b1");
    expect([queue.put("c", "c1"), queue.put("a", "a2")]).toEqual(["full", { replaced: "a1" }]);
    expect(queue.drain()).toEqual(["a2", "b1"]);
  });
});

describe("a token bucket", () => {
  it("lets a burst through, then so many a second, and fills up again no further than the burst", () => {
    const bucket = new TokenBucket(7.8125, 2, 0);
    const sent: number[] = [];
    for (let nowMs = 0; nowMs < 1024; nowMs += 16)
      if (bucket.waitMs(nowMs) === 0) {
        bucket.take();
        sent.push(nowMs);
      }
    expect(sent.slice(0, 4)).toEqual([0, 16, 128, 256]);
    expect(bucket.waitMs(60_000)).toBe(0);
    bucket.take();
    bucket.take();
    expect(bucket.waitMs(60_000)).toBe(128);
  });
});

describe("a write", () => {
  const target = { resource: ENDPOINT_SLICES, namespace: "shop", name: "pay" };
  const apply: Write = {
    kind: "apply",
    target,
    objectKind: "EndpointSlice",
    fieldManager: "hansa",
    force: false,
    labels: { a: "b" },
    fields: { endpoints: [] },
  };
  const remove: Write = { kind: "delete", target, uid: "u-1" };

  it("is server-side apply with a manager of its own", () => {
    expect(requestOf(apply)).toMatchObject({
      method: "PATCH",
      query: { fieldManager: "hansa", force: "false" },
      contentType: "application/apply-patch+yaml",
      body: {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "pay", namespace: "shop", labels: { a: "b" } },
        endpoints: [],
      },
    });
  });

  it("deletes only the object with that uid", () => {
    expect(requestOf(remove)).toMatchObject({ method: "DELETE", body: { preconditions: { uid: "u-1" } } });
  });

  it("shares its slot with the object's deletion and not with its status", () => {
    expect(slotOf(apply)).toBe(slotOf(remove));
    expect(slotOf({ ...apply, target: { ...target, subresource: "status" } })).not.toBe(slotOf(apply));
  });

  it.each([
    ["conflict", "conflict"],
    ["invalid", "invalid"],
    ["absent", "absent"],
    ["forbidden", "forbidden"],
    ["too-large", "invalid"],
    ["unreachable", undefined],
    ["unauthenticated", undefined],
    ["throttled", undefined],
    ["server", undefined],
  ] as const)("that meets %s ends as %s", (kind, outcome) => {
    expect(outcomeOf(apply, problem(kind, "x"), FORBIDDEN_TRIES)?.outcome).toBe(outcome);
  });

  it("that deletes what is gone has done so", () => {
    expect(outcomeOf(remove, problem("absent", "x"), 1)).toEqual({ outcome: "deleted" });
  });
});
