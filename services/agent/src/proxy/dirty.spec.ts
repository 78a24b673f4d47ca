import type { ClusterName } from "@hansa/core";
import type { FederationReader, RegisterRef } from "@hansa/model";
import { expect, test } from "vitest";
import { Dirty, HEAVY_PER_BUILD_MAX, SERVICES_PER_BUILD_MAX } from "./dirty.ts";

const SELF = "eu" as ClusterName;
const member = (network: string) => ({ membership: { grant: { network } } });
const reader = {
  member: (cluster: string) => member(cluster === "far" ? "other" : "flat"),
  serviceNames: () => [],
} as unknown as FederationReader;
const never = () => undefined;

const endpoint = (cluster: string, service: string): RegisterRef => ({
  cluster: cluster as ClusterName,
  lane: "ep",
  key: `endpoint/shop/${service}/one`,
  type: "EndpointSet",
});
const many = (cluster: string, count: number): RegisterRef[] =>
  Array.from({ length: count }, (_, index) => endpoint(cluster, `${cluster}-${index}`));
const namesOf = (dirty: Dirty): string[] => dirty.take().services.map(({ name }) => name);

/** Nothing is dirty: the first build takes everything. */
function clean(): Dirty {
  const dirty = new Dirty(SELF);
  expect(dirty.take().all).toBe(true);
  return dirty;
}

test("a build takes on so many services and no more, the rest stays", () => {
  const dirty = clean();
  dirty.registers(many("us", HEAVY_PER_BUILD_MAX), reader, never);
  expect(namesOf(dirty)).toHaveLength(HEAVY_PER_BUILD_MAX);
  expect(dirty.hasServices).toBe(false);
  dirty.registers(many("us", HEAVY_PER_BUILD_MAX + 1), reader, never);
  expect(namesOf(dirty)).toHaveLength(HEAVY_PER_BUILD_MAX);
  expect([...dirty.behind()]).toEqual(["us"]);
  expect(namesOf(dirty)).toHaveLength(1);
  expect([...dirty.behind()]).toEqual([]);
  for (const source of ["a", "b", "c"]) dirty.registers(many(source, HEAVY_PER_BUILD_MAX), reader, never);
  expect(namesOf(dirty)).toHaveLength(SERVICES_PER_BUILD_MAX);
});

test("who changes little goes before who changes everything, whoever came first", () => {
  const dirty = clean();
  dirty.registers(many("noisy", 300), reader, never);
  dirty.registers([endpoint("us", "pay"), endpoint("ap", "cart")], reader, never);
  expect(namesOf(dirty).slice(0, 2).sort()).toEqual(["cart", "pay"]);
  // A service of both counts for the one that changes little.
  dirty.registers([endpoint("us", "noisy-299")], reader, never);
  expect(namesOf(dirty)[0]).toBe("noisy-299");
});

test("while the Envoys have their hands full only who changes little goes on", () => {
  const dirty = clean();
  dirty.registers(many("noisy", 300), reader, never);
  expect(dirty.take(true).services).toEqual([]);
  expect(dirty.hasLight).toBe(false);
  dirty.registers([endpoint("us", "pay")], reader, never);
  expect(dirty.hasLight).toBe(true);
  expect(dirty.take(true).services.map(({ name }) => name)).toEqual(["pay"]);
  expect(namesOf(dirty)).toHaveLength(HEAVY_PER_BUILD_MAX);
});

test("however much changes elsewhere, a part of each build is for who changes everything", () => {
  const dirty = clean();
  dirty.registers(many("noisy", 300), reader, never);
  for (let source = 0; source < 20; source++) dirty.registers(many(`s${source}`, 4), reader, never);
  const taken = namesOf(dirty);
  expect(taken).toHaveLength(SERVICES_PER_BUILD_MAX);
  expect(taken.filter((name) => name.startsWith("noisy"))).toHaveLength(HEAVY_PER_BUILD_MAX);
});

test("the time of a source's oldest change is told when nothing of it waits any more", () => {
  const dirty = clean();
  dirty.registers(many("noisy", HEAVY_PER_BUILD_MAX + 1), reader, () => 5);
  dirty.registers([endpoint("us", "pay")], reader, () => 7);
  expect([...dirty.take().sources]).toEqual([["us", 7]]);
  expect([...dirty.take().sources]).toEqual([["noisy", 5]]);
});

test("single endpoints of another network concern nobody here", () => {
  const dirty = clean();
  expect(dirty.registers([endpoint("far", "pay")], reader, never)).toBe(false);
  expect(dirty.registers([endpoint("us", "pay")], reader, never)).toBe(true);
  expect(namesOf(dirty)).toEqual(["pay"]);
});
