/**
 * The file source's document: services, workloads, allows and failover policy of one cluster (design §7). Owns its
 * shape and every check; a document is taken whole or not at all.
 */

import { isIP } from "node:net";
import { isLabel, SYSTEM_NAMESPACE } from "@hansa/core";
import { isPortName, portKeyOf } from "@hansa/events";
import { nameTooLong } from "@hansa/model";
import { z } from "zod";
import { PROBLEMS_MAX, problemsOf } from "./problems.ts";
import { protocolOf } from "./protocol.ts";
import { YamlParts } from "./yaml-parts.ts";

export const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;

const label = z.string().refine(isLabel, "must be a lower-case RFC 1123 label");
const namespace = label.refine((name) => name !== SYSTEM_NAMESPACE, `must not be ${SYSTEM_NAMESPACE}`);
const account = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "must be a service account name");
const segment = z
  .string()
  .regex(/^[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,252}$/, "may hold letters, digits and . _ : -");
const port = z.number().int().min(1).max(65_535);
const address = z.string().refine((text) => isIP(text) !== 0, "must be an IP address");
const instant = z.union([z.string(), z.date()]).transform((value, context) => {
  const ms = value instanceof Date ? value.getTime() : Date.parse(value);
  if (Number.isFinite(ms)) return ms;
  context.addIssue({ code: "custom", message: "must be an RFC 3339 time" });
  return z.NEVER;
});

const servicePort = z
  .strictObject({
    name: z
      .string()
      .refine((name) => name === "" || isPortName(name), "must be a port name (a label without --)")
      .default(""),
    port,
    protocol: z.enum(["http", "http2", "grpc", "tcp"]).optional(),
    appProtocol: z.string().max(100).optional(),
  })
  .transform(({ name, port, protocol, appProtocol }) => ({
    name,
    port,
    protocol: protocol ?? protocolOf(appProtocol, name),
  }));

const service = z.strictObject({
  namespace,
  name: label,
  type: z.enum(["ClusterSetIP", "Headless"]).default("ClusterSetIP"),
  created: instant.default(0),
  ports: z.array(servicePort).min(1).max(64),
  export: z
    .strictObject({
      since: instant.default(0),
      to: z.union([z.literal("all"), z.array(label).max(1000)]).default("all"),
    })
    .nullable()
    .default(null),
});

const replica = z.strictObject({
  id: segment,
  address,
  /** Where other proxies dial it: its sidecar's mTLS port. */
  port: port.default(15_006),
  ready: z.boolean(),
  zone: label.optional(),
  weight: z.number().int().min(1).max(1000).default(1),
  sidecar: z.boolean().default(true),
  /** The application behind the sidecar; `ports` names a port per service port where they differ. */
  app: z.strictObject({ address, port, ports: z.record(z.string(), port).default({}) }).optional(),
});

const workload = z.strictObject({
  namespace,
  name: label,
  serviceAccount: account,
  desired: z.number().int().min(0).max(100_000),
  services: z.array(label).max(64).default([]),
  replicas: z.array(replica).max(100_000).default([]),
});

const pattern = (inner: typeof account) => z.union([z.literal("*"), inner]);
/** Checked alike, whatever source it comes from. */
export const allow = z.strictObject({
  name: segment,
  namespace,
  service: label,
  from: z
    .array(
      z.strictObject({
        cluster: pattern(label),
        namespace: pattern(label),
        serviceAccount: pattern(account),
      }),
    )
    .min(1)
    .max(1000),
});

export const failover = z.strictObject({
  namespace: z.union([z.literal("-"), namespace]),
  name: z.union([z.literal("-"), label]),
  tiers: z.array(z.array(label).min(1).max(1000)).max(16).default([]),
  regions: z.record(label, z.array(label).max(64)).default({}),
  threshold: z.number().int().min(1).max(100).default(70),
  hysteresisPercent: z.number().min(0).max(100).default(10),
  hysteresisMs: z.number().int().min(0).max(3_600_000).default(30_000),
});

export const gateway = z.strictObject({ name: label, address, port, ready: z.boolean().default(true) });

/** An item that the reader gives again, unchanged, is checked once and gives the same value (yaml-parts.ts). */
function once<Item extends z.ZodType>(item: Item) {
  const checked = new WeakMap<object, z.output<Item>>();
  return z.unknown().transform((raw, context): z.output<Item> => {
    const known = typeof raw === "object" && raw !== null ? checked.get(raw) : undefined;
    if (known !== undefined) return known;
    const result = item.safeParse(raw);
    if (!result.success) {
      for (const issue of result.error.issues) context.addIssue({ ...issue });
      return z.NEVER;
    }
    if (typeof raw === "object" && raw !== null) checked.set(raw, result.data);
    return result.data;
  });
}

export const ITEMS_MAX = 20_000;

const schema = z.strictObject({
  services: z.array(once(service)).max(ITEMS_MAX).default([]),
  workloads: z.array(once(workload)).max(ITEMS_MAX).default([]),
  allows: z.array(allow).max(ITEMS_MAX).default([]),
  failover: z.array(failover).max(ITEMS_MAX).default([]),
  /** Replaces the configured gateway where given. */
  gateways: z.array(gateway).max(64).optional(),
});

export type SourceDocument = z.infer<typeof schema>;
export type SourceService = SourceDocument["services"][number];
export type SourceWorkload = SourceDocument["workloads"][number];
export type SourceAllow = SourceDocument["allows"][number];
export type SourceFailover = SourceDocument["failover"][number];
export type SourceGateway = z.infer<typeof gateway>;
export type SourceReplica = SourceWorkload["replicas"][number];

export interface SourceContext {
  readonly cluster: string;
  readonly federation: string;
}

export type ParsedSource =
  | { readonly kind: "document"; readonly document: SourceDocument }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

function repeated(place: string, keys: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return keys.flatMap((key, index) => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    return first === undefined
      ? []
      : [`${place}[${index}]: ${key} is given twice, first as ${place}[${first}]`];
  });
}

function serviceProblems(services: readonly SourceService[], context: SourceContext): string[] {
  return services.flatMap((service, index) => {
    const place = `services[${index}]`;
    const numbers = repeated(
      `${place}.ports`,
      service.ports.map(({ port }) => `port ${port}`),
    );
    const names = repeated(
      `${place}.ports`,
      service.ports.map((port) => portKeyOf(port)),
    );
    const long = service.ports.flatMap((port, at) => {
      const problem =
        service.export === null
          ? undefined
          : nameTooLong(
              portKeyOf(port),
              service.name,
              service.namespace,
              context.cluster,
              context.federation,
            );
      return problem === undefined ? [] : [`${place}.ports[${at}]: ${problem.reason}: ${problem.message}`];
    });
    return [...numbers, ...names, ...long];
  });
}

function workloadProblems(document: SourceDocument): string[] {
  const known = new Set(document.services.map(({ namespace, name }) => `${namespace}/${name}`));
  return document.workloads.flatMap((workload, index) => {
    const place = `workloads[${index}]`;
    const missing = workload.services.flatMap((name, at) =>
      known.has(`${workload.namespace}/${name}`)
        ? []
        : [`${place}.services[${at}]: no service ${workload.namespace}/${name}`],
    );
    return [
      ...missing,
      ...repeated(
        `${place}.replicas`,
        workload.replicas.map(({ id }) => id),
      ),
    ];
  });
}

/** Two proxies cannot listen on one address. */
function addressProblems(document: SourceDocument): string[] {
  const seen = new Map<string, string>();
  const problems: string[] = [];
  document.workloads.forEach((workload, index) => {
    workload.replicas.forEach((replica, at) => {
      const place = `workloads[${index}].replicas[${at}]`;
      const key = `${replica.address}:${replica.port}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, place);
      else problems.push(`${place}: ${key} is already that of ${first}`);
    });
  });
  return problems;
}

function semanticProblems(document: SourceDocument, context: SourceContext): string[] {
  const named = (item: { namespace: string; name: string }): string => `${item.namespace}/${item.name}`;
  return [
    ...repeated("services", document.services.map(named)),
    ...repeated("workloads", document.workloads.map(named)),
    ...repeated("allows", document.allows.map(named)),
    ...repeated("failover", document.failover.map(named)),
    ...document.failover.flatMap(({ namespace, name }, index) =>
      (namespace === "-") === (name === "-")
        ? []
        : [`failover[${index}]: "-" stands for all only in both, namespace and name`],
    ),
    ...serviceProblems(document.services, context),
    ...workloadProblems(document),
    ...addressProblems(document),
  ];
}

const refuse = (problems: readonly string[]): ParsedSource => ({
  kind: "problems",
  problems:
    problems.length > PROBLEMS_MAX
      ? [...problems.slice(0, PROBLEMS_MAX), `and ${problems.length - PROBLEMS_MAX} more`]
      : problems,
});

/** JSON is YAML too, and its own parser is a hundred times as fast. */
function readText(text: string, yaml: YamlParts): unknown {
  if (text.trimStart().startsWith("{"))
    try {
      return JSON.parse(text);
    } catch {
      // A flow mapping of YAML.
    }
  return yaml.read(text);
}

/** Total: bad text is a list of problems with their places. `yaml` knows the last reading of the same file. */
export function parseSource(
  text: string,
  context: SourceContext,
  yaml: YamlParts = new YamlParts(),
): ParsedSource {
  if (text.length > DOCUMENT_BYTES_MAX)
    return refuse([`the file has ${text.length} characters, at most ${DOCUMENT_BYTES_MAX} are read`]);
  let parsed: unknown;
  try {
    parsed = readText(text, yaml);
  } catch (error) {
    return refuse([`not YAML: ${(error as Error).message.split("\n")[0]}`]);
  }
  const result = schema.safeParse(parsed ?? {});
  if (!result.success) return refuse(problemsOf(result.error));
  const problems = semanticProblems(result.data, context);
  return problems.length > 0 ? refuse(problems) : { kind: "document", document: result.data };
}
