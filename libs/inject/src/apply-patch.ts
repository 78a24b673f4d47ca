/** Applies the operations that `inject` makes (of RFC 6902: add, replace) to a copy of a document. */
import { assert } from "@hansa/core";
import type { PatchOperation } from "./pod.ts";

export function applyPatch<Document>(document: Document, patch: readonly PatchOperation[]): Document {
  const copy: Document = structuredClone(document);
  for (const operation of patch) apply(copy, operation);
  return copy;
}

function apply(root: unknown, { op, path, value }: PatchOperation): void {
  const steps = path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = steps.pop();
  assert(last !== undefined, "a patch of the whole document");
  let holder = root as Record<string, unknown>;
  for (const step of steps) holder = holder[step] as Record<string, unknown>;
  assert(typeof holder === "object" && holder !== null, `${path}: its holder is missing`);
  assert(op === "add" || last in holder, `${path}: nothing to replace`);
  if (!Array.isArray(holder) || op === "replace") holder[last] = structuredClone(value);
  else holder.splice(last === "-" ? holder.length : Number(last), 0, structuredClone(value));
}
