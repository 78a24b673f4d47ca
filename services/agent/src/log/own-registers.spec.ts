import type { RegisterEvent } from "@hansa/events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { OwnRegisters } from "./own-registers.ts";

const event = (key: string, data: unknown = {}): RegisterEvent =>
  ({ type: "ServiceSet", v: 1, key, at: 1, data }) as RegisterEvent;

const key = fc.oneof(
  fc.tuple(fc.constantFrom("a", "b"), fc.constantFrom("x", "y")).map(([ns, name]) => `service/${ns}/${name}`),
  fc
    .tuple(fc.constantFrom("a", "b"), fc.constantFrom("x", "y"), fc.constantFrom("1", "2"))
    .map(([ns, name, id]) => `endpoint/${ns}/${name}/${id}`),
  fc
    .tuple(fc.constantFrom("a", "b"), fc.constantFrom("x", "y"), fc.constantFrom("z1", "z2"))
    .map(([ns, name, zone]) => `load/${ns}/${name}/http/r/${zone}`),
  fc.constantFrom("gateway/gw", "bundle", "link/us", "policy/allow/a/p"),
);
const PREFIXES = [
  "service/",
  "endpoint/",
  "load/",
  "endpoint/a/x/",
  "load/b/y/",
  "gateway/",
  "policy/",
  "link/",
];

test("listing by prefix finds exactly the live registers with that prefix, whatever was set and removed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean())), (steps) => {
      const own = new OwnRegisters();
      const model = new Set<string>();
      for (const [name, live] of steps) {
        own.set(event(name, live ? {} : null));
        if (live) model.add(name);
        else model.delete(name);
      }
      expect([...own.keys()].sort()).toEqual([...model].sort());
      for (const prefix of PREFIXES) {
        const found = [...own.list(prefix)].map((register) => register.key).sort();
        expect(found).toEqual([...model].filter((name) => name.startsWith(prefix)).sort());
      }
    }),
  );
});
