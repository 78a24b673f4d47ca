/**
 * Schema versions of event data. An upcaster turns version n into n + 1; it is pure, kept for ever and covered by the
 * golden corpus (test/golden/events). The log is never rewritten: old versions are raised on reading.
 */
import type { RegisterType } from "./registers.ts";

export type Upcast = (data: unknown) => unknown;
/** Entry i raises version i + 1 to i + 2, so the current version of a type is 1 + its length. */
export type UpcasterTable = { readonly [Type in RegisterType]?: readonly Upcast[] };

/** Every type is at its first version. */
export const UPCASTERS: UpcasterTable = {};

export const currentVersion = (type: RegisterType, table: UpcasterTable = UPCASTERS): number =>
  1 + (table[type]?.length ?? 0);

export type Upcasted = { readonly kind: "current"; readonly data: unknown } | { readonly kind: "newer" };

/** `newer` where the version is above what this build knows: the event is kept as unknown. */
export function upcast(
  type: RegisterType,
  v: number,
  data: unknown,
  table: UpcasterTable = UPCASTERS,
): Upcasted {
  const steps = table[type] ?? [];
  if (v > 1 + steps.length) return { kind: "newer" };
  return { kind: "current", data: steps.slice(v - 1).reduce((value, step) => step(value), data) };
}
