import { beforeEach, describe, expect, it } from "vitest";
import type { Answer, KubeRequest } from "../client/client.ts";
import { type ProblemKind, problem } from "../client/problem.ts";
import { ENDPOINT_SLICES } from "../resources.ts";
import { VirtualTime } from "../virtual.rig.ts";
import { Applier } from "./applier.ts";
import { WRITE_LIMITS } from "./limits.ts";
import type { Write, Written } from "./write.ts";

const write = (name: string, value = "1"): Write => ({
  kind: "apply",
  target: { resource: ENDPOINT_SLICES, namespace: "shop", name },
  objectKind: "EndpointSlice",
  fieldManager: "hansa",
  force: true,
  fields: { value },
});

let time: VirtualTime;
let sent: string[];
let isWriter: boolean;
/** What the API server answers; each answer takes 5 ms. */
let answers: (name: string) => ProblemKind | "ok";
let retryAfterMs: number | undefined;
let applier: Applier;
let told: Record<string, Written["outcome"][]>;

beforeEach(() => {
  time = new VirtualTime();
  sent = [];
  told = {};
  isWriter = true;
  retryAfterMs = undefined;
  answers = () => "ok";
  const send = async ({ target, body }: KubeRequest): Promise<Answer> => {
    const name = target.name ?? "";
    sent.push(`${name}=${(body as { value: string }).value} at ${Math.round(time.nowMs)}`);
    await time.ports.timers.sleep(5);
    const kind = answers(name);
    if (kind === "ok")
      return { ok: true, status: 200, body: { metadata: { uid: "u", resourceVersion: "9" } } };
    const failed = problem(kind, kind, 500);
    return { ok: false, problem: retryAfterMs === undefined ? failed : { ...failed, retryAfterMs } };
  };
  applier = new Applier({ client: { send }, ports: time.ports, mayWrite: () => isWriter });
});

function put(name: string, value?: string): void {
  void applier.write(write(name, value)).then(({ outcome }) => {
    told[name] = [...(told[name] ?? []), outcome];
  });
}

describe("writes", () => {
  it("tell what came of them", async () => {
    const written = applier.write(write("a"));
    await time.pass(10);
    expect(await written).toEqual({ outcome: "applied", uid: "u", version: "9" });
  });

  it("of one object go one after the other, and only the newest of those that wait", async () => {
    for (const value of ["1", "2", "3"]) put("a", value);
    await time.pass(100);
    expect(sent).toEqual(["a=1 at 0", "a=3 at 5"]);
    expect(told.a).toEqual(["superseded", "applied", "applied"]);
  });

  it("go at most so many at once, and so many a second after a burst", async () => {
    const { atOnceMax, burstMax, writesPerSecondMax } = WRITE_LIMITS;
    for (let index = 0; index < 1000; index += 1) put(`o${index}`);
    await time.pass(0);
    expect(sent).toHaveLength(atOnceMax);
    await time.pass(2000);
    expect(sent.length).toBeGreaterThanOrEqual(burstMax + 2 * writesPerSecondMax - 1);
    expect(sent.length).toBeLessThanOrEqual(burstMax + 2 * writesPerSecondMax + 1);
  });

  it("all wait while the API server is away, and all go when it is back", async () => {
    answers = () => "unreachable";
    for (const name of ["a", "b", "c"]) put(name);
    await time.pass(600_000);
    // One back-off for all of them: three at most at a time, and half a minute between.
    expect(sent.length).toBeLessThan(100);
    answers = () => "ok";
    await time.pass(60_000);
    expect(told).toEqual({ a: ["applied"], b: ["applied"], c: ["applied"] });
  });

  it("wait for as long as the API server says", async () => {
    answers = () => "throttled";
    retryAfterMs = 45_000;
    put("a");
    await time.pass(44_900);
    expect(sent).toHaveLength(1);
    await time.pass(200);
    expect(sent).toHaveLength(2);
  });

  it("of one object that fails do not hold up others", async () => {
    answers = (name) => (name === "bad" ? "server" : "ok");
    put("bad");
    await time.pass(10);
    for (const name of ["a", "b"]) put(name);
    await time.pass(50);
    expect(told).toEqual({ a: ["applied"], b: ["applied"] });
  });

  it("that fail make room for a newer one of the same object", async () => {
    answers = () => "server";
    put("a", "1");
    await time.pass(2);
    put("a", "2");
    await time.pass(10);
    expect(told.a).toEqual(["superseded"]);
    answers = () => "ok";
    await time.pass(1000);
    expect(sent.at(-1)).toMatch(/^a=2/);
  });

  it.each(["conflict", "invalid", "absent"] as const)("that meet %s are told so, once", async (kind) => {
    answers = () => kind;
    put("a");
    await time.pass(60_000);
    expect([told.a, sent.length]).toEqual([[kind], 1]);
  });
});

describe("a missing right", () => {
  it("is believed only after ten seconds: an API server that starts refuses everyone", async () => {
    answers = () => "forbidden";
    put("a");
    await time.pass(2000);
    answers = () => "ok";
    await time.pass(5000);
    expect(told.a).toEqual(["applied"]);
    answers = () => "forbidden";
    put("a");
    await time.pass(60_000);
    expect(told.a).toEqual(["applied", "forbidden"]);
  });
});

describe("who may not write", () => {
  it("sends nothing, also not what waited while it might", async () => {
    answers = () => "unreachable";
    put("a");
    await time.pass(100);
    isWriter = false;
    answers = () => "ok";
    await time.pass(60_000);
    put("b");
    await time.pass(100);
    expect(sent).toHaveLength(1);
    expect(told).toEqual({ a: ["not-writer"], b: ["not-writer"] });
  });

  it("is told that too many objects wait", async () => {
    answers = () => "unreachable";
    for (let index = 0; index <= WRITE_LIMITS.waitingMax + WRITE_LIMITS.atOnceMax; index += 1)
      put(`o${index}`);
    await time.pass(100);
    expect(Object.values(told).flat()).toContain("full");
    expect(applier.waitingCount).toBeLessThanOrEqual(WRITE_LIMITS.waitingMax + WRITE_LIMITS.atOnceMax);
  });

  it("is left waiting for nothing once it has stopped", async () => {
    answers = () => "unreachable";
    put("a");
    put("b");
    await time.pass(100);
    applier.stop();
    put("c");
    await time.pass(100);
    expect(told).toEqual({ a: ["not-writer"], b: ["not-writer"], c: ["not-writer"] });
    expect(time.timers.filter(({ isOver }) => !isOver)).toEqual([]);
  });
});
