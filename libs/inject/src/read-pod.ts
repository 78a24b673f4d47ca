/** Checks that what the injector reads of a pod has the shape of one. All else is the API server's to judge. */
import { HOOKS, type Pod, PROBES } from "./pod.ts";

type Check = (value: unknown, place: string) => string[];

const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

const is =
  (...types: readonly string[]): Check =>
  (value, place) =>
    types.includes(typeOf(value)) ? [] : [`${place}: is ${typeOf(value)}, must be ${types.join(" or ")}`];

/** A field that is not there, or null, is nobody's fault. */
const fields =
  (checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check =>
  (value, place) => {
    if (typeOf(value) !== "object") return is("object")(value, place);
    return Object.entries(checks).flatMap(([name, check]) => {
      const own = (value as Record<string, unknown>)[name];
      if (own !== undefined && (own !== null || required.includes(name)))
        return check(own, `${place}.${name}`);
      return required.includes(name) ? [`${place}.${name}: is missing`] : [];
    });
  };

const each =
  (check: Check): Check =>
  (value, place) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => check(item, `${place}[${index}]`))
      : is("array")(value, place);

const texts: Check = (value, place) =>
  typeOf(value) === "object"
    ? Object.entries(value as object).flatMap(([name, text]) => is("string")(text, `${place}["${name}"]`))
    : is("object")(value, place);

const [text, number, flag] = [is("string"), is("number"), is("boolean")];
const port = is("number", "string");
const header = fields({ name: text, value: text }, ["name", "value"]);
const handler = fields({
  httpGet: fields({ path: text, port, host: text, scheme: text, httpHeaders: each(header) }, ["port"]),
  tcpSocket: fields({ port, host: text }, ["port"]),
  grpc: fields({ port: number, service: text }, ["port"]),
});
const handlers = (names: readonly string[]): Record<string, Check> =>
  Object.fromEntries(names.map((name) => [name, handler]));
const securityContext = fields({ runAsUser: number });
const named = fields({ name: text }, ["name"]);
const containers = each(
  fields(
    {
      name: text,
      ports: each(fields({ name: text, containerPort: number }, ["containerPort"])),
      securityContext,
      ...handlers(PROBES),
      lifecycle: fields(handlers(HOOKS)),
    },
    ["name"],
  ),
);
const pod = fields(
  {
    metadata: fields({ labels: texts, annotations: texts }),
    spec: fields(
      {
        hostNetwork: flag,
        os: named,
        securityContext,
        containers,
        initContainers: containers,
        volumes: each(named),
      },
      ["containers"],
    ),
  },
  ["spec"],
);

export const isPod = (value: unknown, problems: string[]): value is Pod => {
  problems.push(...pod(value, "pod"));
  return problems.length === 0;
};
