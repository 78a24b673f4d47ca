/** Findings and how they are shown: the JSON shape of `linkerd check`, with codes. Pure. */
import type { Code } from "@hansa/core";
import type { Grade, Mark } from "../shell/marks.ts";

export interface Check {
  /** What holds where it is ok, e.g. "the hub is ready". */
  readonly description: string;
  readonly grade: Grade;
  /** With warn and fail. */
  readonly code?: Code;
  /** What is wrong, and where. */
  readonly cause?: string;
  /** The command to run next. */
  readonly next?: string;
}

export interface Category {
  readonly name: string;
  readonly checks: readonly Check[];
}

export const ok = (description: string): Check => ({ description, grade: "ok" });

const worse =
  (grade: "warn" | "fail") =>
  (description: string, code: Code, cause: string, next: string): Check => ({
    description,
    grade,
    code,
    cause,
    next,
  });
export const warn = worse("warn");
export const fail = worse("fail");

/** Fails with all causes where there are any. */
export function none(
  description: string,
  causes: readonly string[],
  code: Code,
  next: string,
  grade: "warn" | "fail" = "fail",
): Check {
  if (causes.length === 0) return ok(description);
  const shown = causes.slice(0, CAUSES_MAX);
  const more = causes.length - shown.length;
  const cause = more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
  return worse(grade)(description, code, cause, next);
}
const CAUSES_MAX = 8;

/** Warnings are shown and do not fail the whole. */
export const succeeds = (categories: readonly Category[]): boolean =>
  categories.every(({ checks }) => checks.every(({ grade }) => grade !== "fail"));

const RESULTS: Readonly<Record<Grade, string>> = { ok: "success", warn: "warning", fail: "error" };

export const reportData = (categories: readonly Category[]) => ({
  success: succeeds(categories),
  categories: categories.map(({ name, checks }) => ({
    categoryName: name,
    checks: checks.map(({ description, grade, code, cause, next }) => ({
      description,
      result: RESULTS[grade],
      ...(code === undefined ? {} : { code, error: cause, hint: next }),
    })),
  })),
});

export function reportText(categories: readonly Category[], mark: Mark): string {
  const lines: string[] = [];
  for (const { name, checks } of categories) {
    lines.push(name, "-".repeat(name.length));
    for (const { description, grade, code, cause, next } of checks) {
      lines.push(`${mark(grade)} ${description}`);
      if (code !== undefined) lines.push(`    ${code}: ${cause}`, `    next: ${next}`);
    }
    lines.push("");
  }
  const all = categories.flatMap(({ checks }) => checks);
  const count = (grade: Grade) => all.filter((check) => check.grade === grade).length;
  const status = succeeds(categories) ? mark("ok") : mark("fail");
  lines.push(`Status: ${status} ${count("ok")} ok, ${count("warn")} warnings, ${count("fail")} failures`);
  return lines.join("\n");
}
