/** The hub's configuration file: what may stand in it, and errors that name the place. */
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { resolve } from "node:path";
import type { StreamSize } from "@hansa/bus";
import { HansaError } from "@hansa/core";
import { parse } from "yaml";
import * as z from "zod";

const url = (scheme: RegExp) => z.string().regex(scheme);
const port = z.number().int().min(1).max(65_535);
const urlOf = (host: string, onPort: number) => `https://${isIPv6(host) ? `[${host}]` : host}:${onPort}`;
const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

const schema = z.strictObject({
  /** Folder of genesis and keys, made by `init`; relative to the file. */
  dir: z.string().min(1),
  postgres: z.strictObject({
    url: url(/^postgres(ql)?:\/\//),
    connectionsMax: z.number().int().min(4).max(100).default(10),
  }),
  nats: z.strictObject({
    /** As the hub dials. */
    servers: z.array(url(/^(nats|tls):\/\//)).min(1),
    /** As agents dial; default: the same. */
    advertised: z
      .array(url(/^(nats|tls):\/\//))
      .min(1)
      .optional(),
    /** PEM of the CA where the servers use TLS. */
    caFile: z.string().optional(),
    /** Room for so many sources from the start; it grows with the members. */
    sourcesMax: z.number().int().min(2).max(5000).default(16),
    recordsPerLogMax: z.number().int().min(16).max(16_384).optional(),
    replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).default(1),
  }),
  api: z.strictObject({
    host: z.string().min(1),
    port,
    /** Names and addresses in the TLS certificate, and `https://<first>:port` in join tokens. */
    hosts: z.array(z.string().min(1)).min(1),
    /** Where agents reach the API, if not at the first of `hosts`. */
    advertised: z
      .array(url(/^https:\/\//))
      .min(1)
      .optional(),
    /** This replica's own name or address, as its others dial it. Default: `host`, where that is one. */
    ownHost: z
      .string()
      .regex(/^[\w.:-]{1,253}$/)
      .refine((host) => URL.canParse(urlOf(host, 443)), "not a host's name or address")
      .optional(),
    /** Per credential. */
    requestsPerSecondMax: z.number().positive().default(200),
    /** Per address, for callers without a valid credential. */
    strangersPerSecondMax: z.number().positive().default(10),
  }),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
  /** How long a source that writes above its granted rate is off the bus. */
  suspendMs: z.number().int().min(100).default(30_000),
  /** How long the archive waits for records that left the stream before it declares them lost. */
  gapHoldMs: z.number().int().min(1000).default(60_000),
});

export type HubConfig = z.output<typeof schema>;

export const streamSizeOf = ({
  nats: { sourcesMax, replicas, recordsPerLogMax },
}: Pick<HubConfig, "nats">): StreamSize => ({
  sourcesMax,
  replicas,
  ...(recordsPerLogMax === undefined ? {} : { recordsPerLogMax }),
});

/** Where this hub's other replicas reach it, "" where it listens on all addresses and names none. */
export function ownUrlOf({ api: { host, ownHost, port: onPort } }: Pick<HubConfig, "api">): string {
  if (ownHost === undefined && WILDCARDS.includes(host)) return "";
  return urlOf(ownHost ?? host, onPort);
}

/** What differs between replicas that share a file, or is a secret: variable → its place in the file. */
const OVERRIDES = {
  HANSA_POSTGRES_URL: ["postgres", "url"],
  HANSA_API_OWN_HOST: ["api", "ownHost"],
} as const;

/** Throws HSA1004 with file, place and reason. What `OVERRIDES` names in the environment replaces what the file says. */
export function readConfig(file: string, env: NodeJS.ProcessEnv = {}): HubConfig {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new HansaError("HSA1004", `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  for (const [variable, [section, name]] of Object.entries(OVERRIDES)) {
    const given = env[variable];
    if (given && typeof value === "object" && value !== null)
      value = { ...value, [section]: { ...(value as Record<string, object>)[section], [name]: given } };
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${issue.path.join(".") || "(file)"}: ${issue.message}`,
    );
    throw new HansaError("HSA1004", `${file}: ${problems.join("; ")}`);
  }
  return { ...result.data, dir: resolve(file, "..", result.data.dir) };
}
