/** Objects applied and removed by server-side apply, in order, with what came of each. */
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError } from "@hansa/core";
import type { KubeObject } from "@hansa/kube";
import { list, object } from "../shell/api.ts";
import type { KubeDoor } from "./door.ts";
import { type Manifest, targetOf, textOfObject } from "./objects.ts";
import { FIELD_MANAGER } from "./place.ts";

const POLL_MS = 250;
const ESTABLISH_MS = 30_000;

export interface Applied {
  readonly object: string;
  readonly outcome: "created" | "changed" | "unchanged";
}

export async function apply(door: KubeDoor, manifests: readonly Manifest[]): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const manifest of manifests) {
    const target = targetOf(manifest);
    const before = await door.read(target);
    const after = await door.send({
      method: "PATCH",
      target,
      query: { fieldManager: FIELD_MANAGER, force: "true" },
      contentType: "application/apply-patch+yaml",
      body: manifest,
    });
    applied.push({ object: textOfObject(manifest), outcome: outcomeOf(before, after) });
  }
  return applied;
}

function outcomeOf(before: KubeObject | undefined, after: KubeObject): Applied["outcome"] {
  if (before === undefined) return "created";
  return before.metadata.resourceVersion === after.metadata.resourceVersion ? "unchanged" : "changed";
}

/** Answers the objects that were there, when they are gone. Throws HSA1009. */
export async function remove(
  door: KubeDoor,
  manifests: readonly Manifest[],
  deadline: number,
): Promise<string[]> {
  const removed: string[] = [];
  for (const manifest of manifests) {
    const target = targetOf(manifest);
    if ((await door.read(target)) === undefined) continue;
    await door.send({
      method: "DELETE",
      target,
      body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" },
    });
    removed.push(textOfObject(manifest));
  }
  for (const manifest of manifests)
    while ((await door.read(targetOf(manifest))) !== undefined) {
      if (performance.now() > deadline)
        throw new HansaError(
          "HSA1009",
          `${textOfObject(manifest)}: is still being removed; nothing else is left to do`,
        );
      await sleep(POLL_MS);
    }
  return removed;
}

/** Kinds that were just applied are served a moment later. Throws HSA1009. */
export async function established(door: KubeDoor, crds: readonly Manifest[]): Promise<void> {
  const deadline = performance.now() + ESTABLISH_MS;
  for (const crd of crds)
    while (!isEstablished(await door.read(targetOf(crd)))) {
      if (performance.now() > deadline)
        throw new HansaError(
          "HSA1009",
          `${textOfObject(crd)}: is not established after ${ESTABLISH_MS / 1000} s`,
        );
      await sleep(POLL_MS);
    }
}

const isEstablished = (crd: KubeObject | undefined): boolean =>
  list(object(crd?.status).conditions).some(
    ({ type, status }) => type === "Established" && status === "True",
  );
