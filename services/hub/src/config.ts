/** The hub's configuration file: what may stand in it, and errors that name the place. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { StreamSize } from "@hansa/bus";
import { HansaError } from "@hansa/core";
import { parse } from "yaml";
import * as z from "zod";

const url = (scheme: RegExp) => z.string().regex(scheme);
const port = z.number().int().min(1).max(65_535);

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

/** Throws HSA1004 with file, place and reason. `HANSA_POSTGRES_URL` replaces the URL in the file. */
export function readConfig(file: string, env: NodeJS.ProcessEnv = {}): HubConfig {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new HansaError("HSA1004", `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const override = env.HANSA_POSTGRES_URL;
  if (override && typeof value === "object" && value !== null)
    value = { ...value, postgres: { ...(value as { postgres?: object }).postgres, url: override } };
  const result = schema.safeParse(value);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${issue.path.join(".") || "(file)"}: ${issue.message}`,
    );
    throw new HansaError("HSA1004", `${file}: ${problems.join("; ")}`);
  }
  return { ...result.data, dir: resolve(file, "..", result.data.dir) };
}
