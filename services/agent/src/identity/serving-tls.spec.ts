import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromPem, nodeRandom, openKeyStore } from "@hansa/identity";
import { afterEach, beforeEach, expect, it } from "vitest";
import { OVERLAP_MS, ROOT_AGE_MS, ServingTls } from "./serving-tls.ts";

let dir: string;
let nowMs: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hansa-serving-"));
  nowMs = 1_800_000_000_000;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (): ServingTls =>
  new ServingTls({
    store: openKeyStore(dir),
    cluster: "eu",
    names: ["agent.test"],
    ports: { clock: { nowMs: () => nowMs, monotonicMs: () => nowMs }, random: nodeRandom },
  });
/** The issued chain's root, and the bundle's roots. */
const rootOf = (tls: ServingTls): string => Buffer.from(fromPem(tls.issue().certPem).at(-1)!).toString("hex");
const rootsOf = (pem: string): string[] => fromPem(pem).map((der) => Buffer.from(der).toString("hex"));

it("a root is the same after a restart, and signs for the agent's names", () => {
  const tls = open();
  expect(rootsOf(open().bundlePem)).toEqual(rootsOf(tls.bundlePem));
  expect(rootsOf(tls.bundlePem)).toEqual([rootOf(tls)]);
  expect(tls.step(nowMs)).toBe(false);
});

it("whoever trusted the bundle of a while ago trusts each leaf, through five rotations and as many restarts", () => {
  let tls = open();
  let trusted = tls.bundlePem;
  let signers = new Set<string>();
  for (let day = 0; day < 5 * 430; day += 15) {
    nowMs += 15 * 86_400_000;
    tls.step(nowMs);
    tls.published(tls.bundlePem);
    expect(rootsOf(tls.bundlePem).length).toBeLessThanOrEqual(2);
    expect(rootsOf(trusted)).toContain(rootOf(tls));
    signers = signers.add(rootOf(tls));
    // Of the bundle of fifteen days ago: half of what is promised.
    trusted = tls.bundlePem;
    if (day % 30 === 0) tls = open();
  }
  expect(signers.size).toBeGreaterThanOrEqual(5);
});

it("a root that the API server does not trust yet does not sign", () => {
  const tls = open();
  const before = rootOf(tls);
  nowMs += ROOT_AGE_MS;
  expect(tls.step(nowMs)).toBe(true);
  nowMs += OVERLAP_MS;
  expect(tls.step(nowMs)).toBe(false);
  expect(rootOf(tls)).toBe(before);
  tls.published(tls.bundlePem);
  expect(tls.step(nowMs)).toBe(true);
  expect(rootOf(tls)).not.toBe(before);
});

it("what is no state is refused, not begun anew", () => {
  openKeyStore(dir).write("sidecars-ca.json", JSON.stringify({ roots: [], active: 0 }));
  expect(open).toThrow(/HSA1004|restore it/);
});
