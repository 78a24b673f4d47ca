/**
 * Lines of a watch and pages of a list to the machine's inputs. What cannot be read is a value, never silence. A `project` that throws
 * costs that object its change, never the loop. Pure.
 */
import { type Problem, problem, readStatus } from "../client/problem.ts";
import { type KubeObject, keyOf } from "../resource.ts";
import type { Item } from "./cache.ts";
import type { Page, WatchEvent } from "./machine.ts";

/** The few fields of an object that are kept; undefined = of no interest. Never keeps the object itself. */
export type Project<T> = (object: KubeObject) => T | undefined;

export class ObjectReader<T> {
  readonly #project: Project<T>;
  readonly #onUnreadable: (key: string, problem: string) => void;

  constructor(project: Project<T>, onUnreadable: (key: string, problem: string) => void) {
    this.#project = project;
    this.#onUnreadable = onUnreadable;
  }

  event(line: string): WatchEvent<T> | Problem {
    const read = parsed(line) as { readonly type?: unknown; readonly object?: unknown } | undefined;
    if (typeof read !== "object" || read === null)
      return unreadable("a line of a watch is no JSON object", line);
    const { type, object } = read;
    if (type === "ERROR") return errorLine(object);
    const version = versionOf(object);
    if (version === undefined) return unreadable("an event has no resourceVersion", line);
    if (type === "BOOKMARK") return { kind: "bookmark", version };
    if (!hasName(object)) return unreadable("an event's object has no name", line);
    if (type === "DELETED") return { kind: "removed", key: keyOf(object.metadata), version };
    if (type === "ADDED" || type === "MODIFIED") return { kind: "put", item: this.#item(object), version };
    return unreadable(`an event has the unknown type ${JSON.stringify(type)}`, line);
  }

  page(body: unknown): Page<T> | Problem {
    const list = body as {
      readonly items?: unknown;
      readonly metadata?: { readonly continue?: unknown };
    } | null;
    const version = versionOf(body);
    if (version === undefined || !Array.isArray(list?.items))
      return problem("unreadable", "a list has no items or no resourceVersion");
    const items: Item<T>[] = [];
    for (const object of list.items as readonly unknown[]) {
      if (!hasName(object)) return problem("unreadable", "an object of a list has no name");
      items.push(this.#item(object));
    }
    const more = list.metadata?.continue;
    return { items, version, more: typeof more === "string" && more !== "" ? more : undefined };
  }

  #item(object: KubeObject): Item<T> {
    const key = keyOf(object.metadata);
    try {
      const value = this.#project(object);
      return value === undefined ? { key, kind: "ignored" } : { key, kind: "value", value };
    } catch (error) {
      this.#onUnreadable(key, String(error));
      return { key, kind: "unreadable" };
    }
  }
}

/** Errors within a watch come with HTTP 200: a line with a Status object. */
function errorLine(object: unknown): Problem {
  const { code } = (typeof object === "object" && object !== null ? object : {}) as {
    readonly code?: unknown;
  };
  return readStatus(typeof code === "number" ? code : 500, object, undefined);
}

const SHOWN_CHARS = 80;

const unreadable = (what: string, line: string): Problem =>
  problem("unreadable", `${what}: ${line.slice(0, SHOWN_CHARS)}`);

function versionOf(object: unknown): string | undefined {
  const version = (object as { metadata?: { resourceVersion?: unknown } | null } | null | undefined)?.metadata
    ?.resourceVersion;
  return typeof version === "string" && version !== "" ? version : undefined;
}

function hasName(object: unknown): object is KubeObject {
  const name = (object as { metadata?: { name?: unknown } | null } | null | undefined)?.metadata?.name;
  return typeof name === "string" && name !== "";
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
