import type { ExportVerdict } from "@hansa/model";
import { describe, expect, it } from "vitest";
import { exportConditions } from "./conditions.ts";
import { planService } from "./plan.ts";

const agreed: ExportVerdict = { conflicts: [], reason: "NoConflicts", message: "", clusters: [] };
const disputed: ExportVerdict = {
  conflicts: [{ field: "type", reason: "TypeConflict", message: "m" }],
  reason: "TypeConflict",
  message: "m",
  clusters: [],
};
const valid = { valid: true } as const;
const exported = { at: "exported" } as const;
const at = (now: string, before: ReturnType<typeof exportConditions> = [], generation = 1) => ({
  now,
  before,
  generation,
});
const shown = (conditions: ReturnType<typeof exportConditions>) =>
  conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);

describe("conditions of an export", () => {
  it("say how far it has come", () => {
    const of = (state: Parameters<typeof exportConditions>[1]) =>
      shown(exportConditions(valid, state, agreed, at("t")));
    expect(of(exported)).toEqual(["Valid=True/Valid", "Ready=True/Exported", "Conflict=False/NoConflicts"]);
    expect(of({ at: "pending" })[1]).toBe("Ready=False/Pending");
    expect(of({ at: "refused", message: "HSA3006" })[1]).toBe("Ready=False/Failed");
  });

  it("say nothing of conflicts where it is not valid", () => {
    const conditions = exportConditions(
      { valid: false, reason: "NoService", message: "m" },
      exported,
      disputed,
      at("t"),
    );
    expect(shown(conditions)).toEqual(["Valid=False/NoService", "Ready=False/Failed"]);
  });

  it("keep the time of the last transition while the status is the same", () => {
    const first = exportConditions(valid, exported, disputed, at("t1"));
    const second = exportConditions(valid, exported, { ...disputed, message: "other" }, at("t2", first, 2));
    expect(second.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(["t1", "t1", "t1"]);
    expect(second[2]).toMatchObject({ message: "other", observedGeneration: 2 });
    const third = exportConditions(valid, exported, agreed, at("t3", second, 2));
    expect(third.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(["t1", "t1", "t3"]);
  });

  it("are written once, and again only when they say something else", () => {
    const plan = (
      before: ReturnType<typeof exportConditions>,
      conditions: ReturnType<typeof exportConditions>,
    ) =>
      planService(
        {
          namespace: "shop",
          name: "pay",
          served: undefined,
          assigned: undefined,
          actual: undefined,
          slices: [],
          exported: { before, conditions },
        },
        { version: "v1alpha1", hash: String, now: "t", slices: "all" },
      ).writes;
    const first = exportConditions(valid, exported, agreed, at("t1"));
    expect(plan([], first)).toMatchObject([
      {
        kind: "apply",
        target: { resource: { plural: "serviceexports", version: "v1alpha1" }, subresource: "status" },
        fields: { status: { conditions: first } },
      },
    ]);
    expect(plan(first, exportConditions(valid, exported, agreed, at("t2", first)))).toEqual([]);
    const other = { ...first[0]!, type: "Theirs" };
    expect(plan([...first, other], first)).toEqual([]);
    const invalid = exportConditions(
      { valid: false, reason: "NoService", message: "" },
      exported,
      agreed,
      at("t2", first),
    );
    expect(plan(first, invalid)).toHaveLength(1);
    // Conflict is gone from what is wanted: whoever applied it takes it back.
    expect(plan([...invalid, first[2]!], invalid)).toHaveLength(1);
  });
});
