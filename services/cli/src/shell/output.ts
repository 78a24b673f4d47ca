/**
 * How every command prints: the result on stdout as a table, JSON or YAML, everything else on stderr.
 * JSON and YAML carry `apiVersion` and `kind`, so that scripts can rely on their shape.
 */
import { HansaError } from "@hansa/core";

export const FORMATS = ["table", "json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

export const API_VERSION = "hansa/v1";

export interface Result {
  /** Name of the shape in JSON, e.g. `ClusterList`. */
  readonly kind: string;
  /** Members beside apiVersion and kind. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The same for people. */
  readonly text: () => string;
}

export function parseFormat(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (!format) throw new HansaError("HSA1001", `-o ${text}: must be ${FORMATS.join(", ")}`);
  return format;
}

export async function render(result: Result, format: Format): Promise<string> {
  const whole = { apiVersion: API_VERSION, kind: result.kind, ...result.data };
  if (format === "json") return `${JSON.stringify(whole, null, 2)}\n`;
  // Loading the YAML library costs more than most commands.
  if (format === "yaml") return (await import("yaml")).stringify(whole, { aliasDuplicateObjects: false });
  const text = result.text();
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

export type Cell = string | number | boolean | null;

/** Columns padded to their widest cell; no trailing blanks. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map((cell) => (cell === null ? "-" : String(cell))))];
  const widths = headings.map((_heading, column) =>
    Math.max(...cells.map((row) => (row[column] ?? "").length)),
  );
  return `${cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")}\n`;
}

/** 0.4 s, 12 s, 5 m, 3 h, 2 d. */
export function ago(sinceMs: number, nowMs: number): string {
  return duration(Math.max(0, nowMs - sinceMs));
}

export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 120) return `${Math.round(seconds)}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

export const isoTime = (ms: number): string => new Date(ms).toISOString();

/** A line for people, on stderr. Control characters of foreign texts never reach the terminal. */
export const say = (message: string): void => void process.stderr.write(`${printable(message)}\n`);

/**
 * Names and messages come from other clusters: an escape sequence in one must not steer the reader's terminal. Newlines,
 * tabs and our own colours pass.
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (sign, offset: number) => {
    const isOurs = sign === "\u001b" && /^\[(0|3[123])m/.test(text.slice(offset + 1, offset + 5));
    return isOurs || sign === "\n" || sign === "\t" ? sign : "\ufffd";
  });
