/** The written form of a topology: shapes, defaults and limits of single fields. References are checked in parse.ts. */
import { isLabel, parseClusterName, parseFederationName } from "@hansa/core";
import { z } from "zod";

const label = z
  .string()
  .refine(isLabel, "must be a lower-case RFC 1123 label (a-z, 0-9, -; at most 63 characters)");
const clusterName = z
  .string()
  .refine(
    (text) => parseClusterName(text) !== undefined,
    "must be a lower-case RFC 1123 label and not reserved (hub, gw, pin, probe, svc)",
  );
const portName = label.refine((text) => !text.includes("--"), "must not contain `--`");
const place = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a name such as eu-west-1");
const wildcardLabel = z.union([z.literal("*"), label]);

const cluster = z.strictObject({
  name: clusterName,
  region: place,
  zones: z.array(place).min(1).max(9).optional(),
  network: label.optional(),
});

const service = z.strictObject({
  name: label,
  namespace: label,
  ports: z
    .array(
      z.strictObject({
        name: portName,
        port: z.int().min(1).max(65_535),
        protocol: z.enum(["http", "http2", "grpc", "tcp"]),
      }),
    )
    .min(1)
    .max(16),
  exportedFrom: z.array(clusterName).default([]),
});

const workload = z.strictObject({
  name: label,
  namespace: label,
  serviceAccount: label.optional(),
  services: z.array(label).max(16).default([]),
  version: z.string().max(63).default("v1"),
  replicas: z.record(clusterName, z.int().min(0).max(100)),
});

const allow = z.strictObject({
  from: z.strictObject({
    cluster: z.union([z.literal("*"), clusterName]),
    namespace: wildcardLabel,
    serviceAccount: wildcardLabel,
  }),
  to: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, "must be NAMESPACE/SERVICE"),
});

const failover = z.strictObject({
  for: z
    .string()
    .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, "must be NAMESPACE/SERVICE")
    .optional(),
  tiers: z.array(z.array(clusterName)).max(16).default([]),
  regions: z.record(place, z.array(place)).default({}),
  threshold: z.int().min(1).max(100).default(70),
  hysteresisPercent: z.number().min(0).max(100).default(10),
  hysteresisMs: z.int().min(0).max(3_600_000).default(30_000),
});

export const topologySchema = z.strictObject({
  federation: z
    .string()
    .refine(
      (text) => parseFederationName(text) !== undefined,
      "must be a lower-case DNS-like name with at least two labels",
    ),
  clusters: z.array(cluster).min(1).max(50),
  services: z.array(service).max(500).default([]),
  workloads: z.array(workload).max(500).default([]),
  allows: z.array(allow).max(1000).default([]),
  failover: z.array(failover).max(500).default([]),
});

export type WrittenTopology = z.infer<typeof topologySchema>;
