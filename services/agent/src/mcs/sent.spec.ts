import { serviceImports, type Write } from "@hansa/kube";
import { describe, expect, it } from "vitest";
import { REPEATS_MAX, SentWrites } from "./sent.ts";

const write = (value: string, now = "t"): Write => ({
  kind: "apply",
  target: { resource: serviceImports("v1beta1"), namespace: "shop", name: "pay" },
  objectKind: "ServiceImport",
  fieldManager: "hansa",
  force: true,
  fields: { spec: { value }, lastTransitionTime: now },
});

describe("writes that were sent", () => {
  it("are not sent again before the object was seen to change", () => {
    const sent = new SentWrites();
    const actual = {};
    expect(sent.due("s", [write("a", "t1")], () => actual).writes).toHaveLength(1);
    expect(sent.due("s", [write("a", "t2")], () => actual).writes).toEqual([]);
    expect(sent.due("s", [write("b")], () => actual).writes).toHaveLength(1);
    expect(sent.due("s", [write("b")], () => ({})).writes).toHaveLength(1);
  });

  it("are sent again after one that did not go out", () => {
    const sent = new SentWrites();
    const actual = {};
    sent.due("s", [write("a")], () => actual);
    sent.forget("s");
    expect(sent.due("s", [write("a")], () => actual).writes).toHaveLength(1);
  });

  it("end where somebody undoes each, which is told once, and begin again with another wish", () => {
    const sent = new SentWrites();
    const rounds = Array.from({ length: REPEATS_MAX + 3 }, () => sent.due("s", [write("a")], () => ({})));
    expect(rounds.filter(({ writes }) => writes.length > 0)).toHaveLength(REPEATS_MAX);
    expect(rounds.flatMap(({ contested }) => contested)).toHaveLength(1);
    expect(sent.due("s", [write("b")], () => ({})).writes).toHaveLength(1);
    sent.due("s", [], () => ({}));
    expect(sent.due("s", [write("a")], () => ({})).writes).toHaveLength(1);
  });
});
