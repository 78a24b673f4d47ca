/** `at=` and `since=`: an RFC 3339 time, a duration ago, or an archive position. */
import { HansaError } from "@hansa/core";
import type { Moment } from "@hansa/store";

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** Throws HSA1008. */
export function parseMoment(text: string): Moment {
  if (/^\d{1,15}$/.test(text)) return { position: Number(text) };
  const [, amount, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (amount !== undefined) return { agoMs: Number(amount) * (UNITS_MS[unit] ?? 0) };
  const timeMs = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw new HansaError(
      "HSA1008",
      `at=${text.slice(0, 60)}: give 2026-01-31T12:00:00Z, 5m (ago) or a position`,
    );
  return { timeMs };
}
