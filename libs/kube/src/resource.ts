/** Kinds of objects and how they are addressed (Kubernetes API concepts, "Resource URIs"). Pure. */
import { assert } from "@hansa/core";

export interface Resource {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in the path. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** One object, or all of them in a namespace (without `name`) or in the cluster (without both). */
export interface Target {
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: "status" | "token" | undefined;
}

/** The part of every object that this package reads itself. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export const apiVersionOf = ({ group, version }: Resource): string =>
  group === "" ? version : `${group}/${version}`;

/** `namespace/name`, or `name` of what is in no namespace. */
export const keyOf = ({ namespace, name }: { namespace?: string | undefined; name: string }): string =>
  namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;

export function pathOf({ resource, namespace, name, subresource }: Target): string {
  assert(resource.namespaced || namespace === undefined, `${resource.plural} are in no namespace`);
  assert(
    name === undefined || !resource.namespaced || namespace !== undefined,
    `${resource.plural}/${name} needs its namespace`,
  );
  assert(subresource === undefined || name !== undefined, `${resource.plural}: a subresource of no object`);
  const parts = [resource.group === "" ? "api" : "apis", apiVersionOf(resource)];
  if (namespace !== undefined) parts.push("namespaces", segment(namespace));
  parts.push(resource.plural);
  if (name !== undefined) parts.push(segment(name));
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.join("/")}`;
}

/** How a message names a target: `endpointslices.discovery.k8s.io shop/pay`. */
export function textOf({ resource, namespace, name, subresource }: Target): string {
  const kind = resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
  const whole = subresource === undefined ? kind : `${kind}/${subresource}`;
  if (name !== undefined) return `${whole} ${keyOf({ namespace, name })}`;
  return namespace === undefined ? whole : `${whole} in ${namespace}`;
}

/** A name never leaves its place in the path: "." and ".." would. */
function segment(text: string): string {
  assert(text !== "" && text !== "." && text !== "..", `"${text}" is no name of an object`);
  return encodeURIComponent(text);
}
