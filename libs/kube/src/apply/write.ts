/** What can be written, and what came of it. Pure. */

import type { KubeRequest } from "../client/client.ts";
import type { Problem } from "../client/problem.ts";
import { apiVersionOf, type Target, textOf } from "../resource.ts";

/** A target that names one object. */
export type ObjectTarget = Target & { readonly name: string };

export type Write =
  /** Server-side apply of `body`, the fields that this manager owns; what it owned before and does not name goes. */
  | {
      readonly kind: "apply";
      readonly target: ObjectTarget;
      /** As in the object's manifest: `Service`. */
      readonly objectKind: string;
      readonly fieldManager: string;
      /** True takes fields from other managers; false answers `conflict` where another owns one. */
      readonly force: boolean;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
      readonly ownerReferences?: readonly unknown[];
      /** `{spec: …}`, or `{status: …}` for the subresource, or the object's own top-level fields. */
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** Deletes the object with this uid, and no other of its name. */
  | { readonly kind: "delete"; readonly target: ObjectTarget; readonly uid: string };

export type Written =
  | { readonly outcome: "applied"; readonly uid: string; readonly version: string }
  /** Gone now, or gone already. */
  | { readonly outcome: "deleted" }
  /** A newer write of the same object took its place before it was sent. */
  | { readonly outcome: "superseded" }
  /** Another manager owns a field (409), or the uid is another's. */
  | { readonly outcome: "conflict"; readonly problem: Problem }
  | { readonly outcome: "invalid"; readonly problem: Problem }
  /** A status of an object that is not there, or a kind that is not served. */
  | { readonly outcome: "absent"; readonly problem: Problem }
  | { readonly outcome: "forbidden"; readonly problem: Problem }
  /** This process may not write (any more): not elected, not synced, or stopped. */
  | { readonly outcome: "not-writer" }
  /** Too many objects wait. */
  | { readonly outcome: "full" };

/** Writes with the same slot replace each other; an object and its status do not. */
export const slotOf = ({ target }: Write): string => textOf(target);

export function requestOf(write: Write): KubeRequest {
  const { target } = write;
  if (write.kind === "delete")
    return {
      method: "DELETE",
      target,
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions: { uid: write.uid },
        propagationPolicy: "Background",
      },
    };
  const { labels, annotations, ownerReferences } = write;
  return {
    method: "PATCH",
    target,
    query: { fieldManager: write.fieldManager, force: String(write.force) },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: apiVersionOf(target.resource),
      kind: write.objectKind,
      metadata: { name: target.name, namespace: target.namespace, labels, annotations, ownerReferences },
      ...write.fields,
    },
  };
}

/**
 * An API server that has just started says "forbidden" to everyone until it has read its roles (seen): only one that still says so
 * after this many tries, about ten seconds, means it.
 */
export const FORBIDDEN_TRIES = 6;

/** What came of a request after so many `tries`; undefined where it is to be sent again. */
export function outcomeOf(write: Write, problem: Problem, tries: number): Written | undefined {
  if (problem.kind === "forbidden" && tries < FORBIDDEN_TRIES) return undefined;
  if (write.kind === "delete" && problem.kind === "absent") return { outcome: "deleted" };
  switch (problem.kind) {
    case "conflict":
    case "invalid":
    case "absent":
    case "forbidden":
      return { outcome: problem.kind, problem };
    case "too-large":
    case "gone":
    case "version-too-large":
      return { outcome: "invalid", problem };
    default:
      return undefined;
  }
}

/** The API server as a whole is at fault, so every other write waits too. */
export const isEverybodys = ({ kind }: Problem): boolean =>
  kind !== "server" && kind !== "unreadable" && kind !== "forbidden";
