/** Times on the command line: `--at` (RFC 3339, 5m ago, archive position) and durations. Pure. */
import { HansaError } from "@hansa/core";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** RFC 3339, and the same without seconds, as people type it. */
const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

export const AT_OPTION = [
  "--at <when>",
  "as of an RFC 3339 time, a duration ago (5m) or an archive position",
] as const;

/** ms of `90s`, `15m`, `2h`, `500ms`, `1d`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const [, number, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  return number === undefined || unitMs === undefined ? undefined : Number(number) * unitMs;
}

/** A duration option within bounds; throws HSA1001. */
export function durationOption(flag: string, value: unknown, minMs: number, maxMs: number): number {
  const ms = durationMs(String(value));
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
  throw new HansaError("HSA1001", `${flag} ${String(value)}: must be a duration such as 90s, 15m or 2h`);
}

/**
 * The value of `--at` or `--since` as the API takes it, undefined where not given. Throws HSA1008 where it is no moment.
 * Whether the archive covers it only the hub can say.
 */
export function momentOption(flag: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = String(value).trim();
  if (durationMs(text) !== undefined || /^\d{1,15}$/.test(text)) return text;
  const [, minutes, seconds = ":00", zone] = TIME.exec(text.toUpperCase()) ?? [];
  const time = `${minutes}${seconds}${zone}`;
  if (minutes !== undefined && !Number.isNaN(Date.parse(time))) return time;
  throw new HansaError(
    "HSA1008",
    `${flag} ${text}: must be an RFC 3339 time (2026-11-23T02:15:00Z), a duration ago (5m) or an archive position (1234)`,
  );
}
