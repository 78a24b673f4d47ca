/** Candidates against a Lease in memory that keeps the API server's rule: a write of an older version is a conflict. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Answer, KubeRequest, Sender } from "../client/client.ts";
import { problem } from "../client/problem.ts";
import { VirtualTime } from "../virtual.rig.ts";
import { LEASE_SETTINGS } from "./judge.ts";
import { LeaseElection } from "./lease-election.ts";

const { durationMs, holdMs, everyMs } = LEASE_SETTINGS;

interface Stored {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: {
    readonly holderIdentity: string;
    readonly leaseTransitions: number;
    readonly renewTime: string;
  };
}

let time: VirtualTime;
let stored: Stored | undefined;
let writes: number;
let candidates: LeaseElection[];
/** Names of candidates that the API server does not hear. */
let cutOff: Set<string>;
let answerMs: number;

beforeEach(() => {
  time = new VirtualTime();
  stored = undefined;
  writes = 0;
  candidates = [];
  cutOff = new Set();
  answerMs = 10;
});

const server = (name: string): Sender => ({
  async send({ method, body }: KubeRequest): Promise<Answer> {
    await time.ports.timers.sleep(answerMs);
    if (cutOff.has(name)) return { ok: false, problem: problem("unreachable", "cut off") };
    if (method === "GET")
      return stored === undefined
        ? { ok: false, problem: problem("absent", "none", 404) }
        : { ok: true, status: 200, body: stored };
    const written = body as Stored;
    if (
      method === "POST"
        ? stored !== undefined
        : written.metadata.resourceVersion !== stored?.metadata.resourceVersion
    )
      return { ok: false, problem: problem("conflict", "older", 409) };
    writes += 1;
    stored = { spec: written.spec, metadata: { resourceVersion: String(writes) } };
    return { ok: true, status: 200, body: stored };
  },
});

/** Names differ by their random part too: each has bytes of its own. */
function stand(name: string): LeaseElection {
  const ports = {
    ...time.ports,
    random: { float: () => 0.5, bytes: () => Uint8Array.from(Buffer.from(name)) },
  };
  const election = new LeaseElection({
    client: server(name),
    ports,
    namespace: "hansa",
    name: "agent",
    candidate: name,
  });
  candidates.push(election);
  election.tryLock();
  return election;
}

const elected = (): number => candidates.filter((candidate) => candidate.tryLock()).length;

/** Passes time and looks that never two hold it at once. */
async function pass(forMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 50) {
    await time.pass(50);
    expect(elected()).toBeLessThanOrEqual(1);
  }
}

describe("an election by Lease", () => {
  it("elects the one that stands, at once, and keeps it", async () => {
    const one = stand("one");
    expect(one.tryLock()).toBe(false);
    await pass(50);
    expect(one.tryLock()).toBe(true);
    await pass(60_000);
    expect([one.tryLock(), stored?.spec.leaseTransitions]).toEqual([true, 0]);
    expect(writes).toBeLessThan(60_000 / everyMs + 2);
  });

  it("writes times as the API server reads them, with six digits of a second", async () => {
    stand("one");
    await pass(50);
    expect(stored?.spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it("elects one of two that begin together", async () => {
    stand("one");
    stand("two");
    await pass(30_000);
    expect(elected()).toBe(1);
    expect(stored?.spec.leaseTransitions).toBe(0);
  });

  it("replaces a holder that is cut off: the old one gives up first, the new one follows soon", async () => {
    const one = stand("one");
    await pass(100);
    const two = stand("two");
    await pass(5000);
    cutOff.add("one");
    await pass(holdMs + 100);
    expect([one.tryLock(), two.tryLock()]).toEqual([false, false]);
    await pass(durationMs - holdMs + everyMs * 1.5);
    expect(two.tryLock()).toBe(true);
    cutOff.clear();
    await pass(10_000);
    expect([one.tryLock(), two.tryLock(), stored?.spec.leaseTransitions]).toEqual([false, true, 1]);
  });

  it("keeps its holder over a short outage of the API server", async () => {
    const one = stand("one");
    await pass(100);
    cutOff.add("one");
    await pass(4000);
    cutOff.clear();
    await pass(4000);
    expect([one.tryLock(), stored?.spec.leaseTransitions]).toEqual([true, 0]);
  });

  it("is lost at once where another has written the lease", async () => {
    const one = stand("one");
    await pass(100);
    stored = { metadata: { resourceVersion: "99" }, spec: { ...stored!.spec, holderIdentity: "two" } };
    await pass(everyMs + 50);
    expect(one.tryLock()).toBe(false);
  });

  it("counts from the sending of a renewal, not from its answer", async () => {
    const one = stand("one");
    await pass(100);
    answerMs = 1500;
    const before = writes;
    while (writes === before) await time.pass(10);
    cutOff.add("one");
    await time.pass(holdMs - answerMs - 50);
    expect(one.tryLock()).toBe(true);
    await time.pass(100);
    expect(one.tryLock()).toBe(false);
  });

  it("is given back also where a renewal is under way", async () => {
    const one = stand("one");
    await pass(100);
    answerMs = 500;
    await time.pass(everyMs);
    one.release();
    await time.pass(2000);
    expect(stored?.spec.holderIdentity).toBe("");
  });

  it("is free at once where its holder gave it back", async () => {
    const one = stand("one");
    await pass(100);
    const two = stand("two");
    await pass(100);
    one.release();
    expect(one.tryLock()).toBe(false);
    await pass(everyMs * 1.5);
    expect([one.tryLock(), two.tryLock()]).toEqual([false, true]);
  });

  it("sees to it that who was released stands no more", async () => {
    const one = stand("one");
    one.release();
    await pass(20_000);
    expect([one.tryLock(), stored]).toEqual([false, undefined]);
  });

  it("gives a new process of the same name no old lease", async () => {
    stand("one");
    await pass(100);
    cutOff.add("one");
    const again = new LeaseElection({
      client: server("again"),
      ports: { ...time.ports, random: { float: () => 0.5, bytes: () => Uint8Array.of(7) } },
      namespace: "hansa",
      name: "agent",
      candidate: "one",
    });
    again.tryLock();
    await time.pass(durationMs - 1000);
    expect(again.tryLock()).toBe(false);
    await time.pass(1000 + everyMs * 1.5);
    expect(again.tryLock()).toBe(true);
  });
});
