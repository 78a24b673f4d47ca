/** Where the pods of a manifest are: the object itself, or the template that a workload makes its pods of. Pure. */

const TEMPLATED = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "ReplicationController",
  "Job",
]);

type Json = Readonly<Record<string, unknown>>;

export interface PodPlace {
  readonly pod: unknown;
  /** The object with another pod in this place. */
  readonly put: (pod: unknown) => Json;
}

/** undefined: an object without pods, e.g. a Service. */
export function podPlaceOf(object: Json): PodPlace | undefined {
  const path = pathOf(object.kind);
  if (path === undefined) return undefined;
  return { pod: path.reduce<unknown>(member, object), put: (pod) => withAt(object, path, pod) as Json };
}

function pathOf(kind: unknown): readonly string[] | undefined {
  if (kind === "Pod") return [];
  if (kind === "CronJob") return ["spec", "jobTemplate", "spec", "template"];
  return TEMPLATED.has(String(kind)) ? ["spec", "template"] : undefined;
}

const member = (value: unknown, name: string): unknown => (value as Json | null | undefined)?.[name];

function withAt(value: unknown, [name, ...rest]: readonly string[], pod: unknown): unknown {
  return name === undefined ? pod : { ...(value as Json), [name]: withAt(member(value, name), rest, pod) };
}
