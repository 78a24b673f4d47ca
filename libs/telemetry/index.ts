/** @hansa/telemetry: the Log port on pino and the Metrics port on prom-client, the Tracer port on OpenTelemetry. Adapter; knows nothing of the mesh. */
export * from "./src/catalogue.ts";
export * from "./src/log.ts";
export * from "./src/metrics.ts";
export * from "./src/tracing.ts";
