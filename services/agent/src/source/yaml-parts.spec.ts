import { expect, test } from "vitest";
import { parse } from "yaml";
import { YamlParts } from "./yaml-parts.ts";

const text = `# of a shop
services:
  - namespace: shop # a comment
    name: pay
    note: |
      - not an item
       of anything
  - { namespace: shop, name: cart }
workloads:
- name: pay
  replicas:
    - id: pay-1
      ready: true

    - id: pay-2
      ready: false
- name: "a: b"
`;
type Read = Record<string, readonly unknown[]>;

test("gives what the parser gives", () => {
  const parts = new YamlParts();
  expect(parts.read(text)).toEqual(parse(text));
  expect(parts.read(text)).toEqual(parse(text));
});

test("an item with the same text is the same object, one that changed is another", () => {
  const parts = new YamlParts();
  const before = parts.read(text) as Read;
  const changed = text.replace("ready: false", "ready: true");
  const after = parts.read(changed) as Read;
  expect(after).toEqual(parse(changed));
  expect(after.services?.[0]).toBe(before.services?.[0]);
  expect(after.workloads?.[1]).toBe(before.workloads?.[1]);
  expect(after.workloads?.[0]).not.toBe(before.workloads?.[0]);
});

test("two items of one text are two objects", () => {
  const { a } = new YamlParts().read("a:\n  - { x: 1 }\n  - { x: 1 }\n") as Read;
  expect(a?.[0]).toEqual(a?.[1]);
  expect(a?.[0]).not.toBe(a?.[1]);
});

test.each([
  ["flow", "{ services: [{ name: a }] }"],
  ["a flow list", "services: [{ name: a }]\n"],
  ["nothing", ""],
  ["a list of scalars", "a:\n  - 1\n  - 2\n"],
  ["an empty list", "a:\n  []\n"],
  ["no value", "a:\nb:\n  - { x: 1 }\n"],
  ["a quoted text over lines", 'a:\n  - x: "one\n      - two"\n'],
  ["a document mark", "---\na:\n  - { x: 1 }\n"],
  ["a nested mapping", "a:\n  b:\n    - { x: 1 }\n"],
])("%s is what the parser makes of it", (_name, odd) => {
  expect(new YamlParts().read(odd)).toEqual(parse(odd));
});

test.each([
  ["a key twice", "a:\n  - { x: 1 }\na:\n  - { x: 2 }\n"],
  ["a torn flow", "a:\n  - { x: 1\n  - { x: 2 }\n"],
  ["an alias", "a:\n  - &one { x: 1 }\n  - *one\n"],
  ["an item that is dedented", "a:\n    - { x: 1 }\n  - { x: 2 }\n"],
  ["a tab", "a:\n\t- { x: 1 }\n"],
])("%s is refused as by the parser", (_name, wrong) => {
  expect(() => new YamlParts().read(wrong)).toThrow();
  expect(() => parse(wrong, { maxAliasCount: 0 })).toThrow();
});
