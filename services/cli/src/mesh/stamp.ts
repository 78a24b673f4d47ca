/** Of which moment an answer is, and who gave it: what every read prints with its result. */
import type { Answer } from "../shell/api.ts";

type Stamp = Pick<Answer, "by" | "position" | "committedAt">;

export const stampOf = ({ by, position, committedAt }: Stamp) => ({ answeredBy: by, position, committedAt });

/** The same as a line for people. */
export function stampText({ by, position, committedAt }: Stamp): string {
  return position === null
    ? `as ${by} sees it now`
    : `as of archive position ${position} (${committedAt ?? "?"})`;
}
