/** Which RBAC right a request needs (Kubernetes, "Request verbs and authorization"). Pure. */
import type { Target } from "../resource.ts";

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

export interface Right {
  readonly group: string;
  /** With its subresource: `serviceimports/status`. */
  readonly resource: string;
  readonly verb: Verb;
}

export function rightOf(method: Method, target: Target, isWatch = false): Right {
  const { resource, name, subresource } = target;
  return {
    group: resource.group,
    resource: subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`,
    verb: verbOf(method, name !== undefined, isWatch),
  };
}

function verbOf(method: Method, named: boolean, isWatch: boolean): Verb {
  if (method === "POST") return "create";
  if (method === "PUT") return "update";
  if (method === "PATCH") return "patch";
  if (method === "DELETE") return "delete";
  if (isWatch) return "watch";
  return named ? "get" : "list";
}

export const textOfRight = ({ verb, resource, group }: Right): string =>
  `${verb} ${resource}${group === "" ? "" : `.${group}`}`;
