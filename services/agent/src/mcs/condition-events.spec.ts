import { expect, it } from "vitest";
import type { ConditionObject } from "../source/kube/objects.ts";
import { conditionEvents } from "./condition-events.ts";

/** `Valid=False/NoService`, as conditions are written elsewhere. */
const conditions = (...texts: readonly string[]): ConditionObject[] =>
  texts.map((text) => {
    const [, type = "", status = "", reason = ""] = /^(\w+)=(\w+)\/(\w+)$/.exec(text) ?? [];
    return { type, status, reason, message: "m", lastTransitionTime: "", observedGeneration: 1 };
  });
const events = (before: readonly string[], after: readonly string[]): string[] =>
  conditionEvents(conditions(...before), conditions(...after)).map(({ type, reason }) => `${type} ${reason}`);

it.each([
  ["what goes well from the start", [], ["Valid=True/Valid", "Ready=True/Exported"], []],
  ["what is under way", [], ["Ready=False/Pending", "Accepted=Unknown/Pending"], []],
  ["trouble, once", [], ["Valid=False/NoService", "Ready=False/Failed"], ["Warning NoService"]],
  ["the same trouble again", ["Valid=False/NoService"], ["Valid=False/NoService"], []],
  ["other trouble", ["Ready=False/Failed"], ["Ready=False/Other"], ["Warning Other"]],
  ["a conflict", ["Conflict=False/NoConflicts"], ["Conflict=True/PortConflict"], ["Warning PortConflict"]],
  ["its end", ["Conflict=True/PortConflict"], ["Conflict=False/NoConflicts"], ["Normal NoConflicts"]],
  ["trouble that is looked at again", ["Accepted=False/Invalid"], ["Accepted=Unknown/Pending"], []],
] as const)("%s", (_name, before, after, told) => {
  expect(events(before, after)).toEqual(told);
});
