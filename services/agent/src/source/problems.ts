/** Turns a schema's complaints into `place: what is wrong`. */
import type { z } from "zod";

export const PROBLEMS_MAX = 20;

const placeOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (place, part) =>
      typeof part === "number"
        ? `${place}[${part}]`
        : place === ""
          ? String(part)
          : `${place}.${String(part)}`,
    "",
  );

export function problemsOf(error: z.ZodError): string[] {
  return error.issues
    .slice(0, PROBLEMS_MAX)
    .map((issue) => (issue.path.length === 0 ? issue.message : `${placeOf(issue.path)}: ${issue.message}`));
}
