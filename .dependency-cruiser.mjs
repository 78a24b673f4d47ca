// Import boundaries (docs/architecture.md). test/boundaries.spec.ts plants one violation of every rule.
const pure = "^libs/(core|events|inject|model|xds)/";
const adapter = "^libs/(identity|bus|ads|store|kube|telemetry)/";
const spec = "\\.(spec|fixture)\\.ts$";

/** One outside library, one door: only `door` may import what `packages` matches. */
const door = (name, packages, folder) => ({
  name,
  severity: "error",
  comment: `Only ${folder} imports it; everyone else uses that package's port.`,
  from: { path: "^(libs|services)/", pathNot: `^${folder}/` },
  to: { path: `(^|/)node_modules/(${packages})(/|$)` },
});

const EVENTS_RIG = "^libs/events/src/rig\\.ts$";

export default {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "must-resolve",
      severity: "error",
      comment: "An import past a package's index.ts does not resolve: `exports` names index.ts alone.",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-node-in-pure-libs",
      severity: "error",
      from: { path: pure, pathNot: spec },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-adapters-in-pure-libs",
      severity: "error",
      from: { path: pure },
      to: { path: adapter },
    },
    {
      name: "no-packages-in-pure-libs",
      severity: "error",
      from: { path: pure, pathNot: spec },
      to: { path: "(^|/)node_modules/" },
    },
    {
      name: "no-adapter-to-adapter",
      severity: "error",
      from: { path: "^libs/(identity|bus|ads|store|kube|telemetry)/" },
      to: { path: adapter, pathNot: "^libs/$1/" },
    },
    {
      name: "no-service-to-service",
      severity: "error",
      from: { path: "^services/([^/]+)/" },
      to: { path: "^services/", pathNot: "^services/$1/" },
    },
    {
      name: "no-lib-to-service",
      severity: "error",
      from: { path: "^libs/" },
      to: { path: "^(services|test)/" },
    },
    {
      name: "no-service-to-test",
      severity: "error",
      from: { path: "^services/" },
      to: { path: "^test/" },
    },
    {
      name: "only-index-of-libs",
      severity: "error",
      comment: "Another package is entered by its index.ts alone.",
      from: { path: "^(libs|services)/([^/]+)/" },
      to: { path: "^libs/[^/]+/", pathNot: ["^libs/[^/]+/index\\.ts$", "^$1/$2/", EVENTS_RIG] },
    },
    {
      name: "rigs-in-specs-only",
      severity: "error",
      comment: "What is made for specs is no part of what runs.",
      from: { path: "^(libs|services)/", pathNot: [spec, "[/-]rig[^/]*\\.ts$"] },
      to: { path: EVENTS_RIG },
    },
    door("nats-only-in-bus", "nats|@nats-io", "libs/bus"),
    {
      name: "grpc-library-in-tests-only",
      severity: "error",
      comment: "The ADS server is tested by a gRPC client of other authors, so it must not be made of it.",
      from: { path: "^(libs|services)/" },
      to: { path: "(^|/)node_modules/@grpc/grpc-js(/|$)" },
    },
    {
      name: "http2-server-only-in-ads",
      severity: "error",
      comment:
        "The CLI and the lab's workload speak HTTP/2 as callers and sample; the mesh itself through libs/ads.",
      from: { path: "^(libs|services/(hub|agent))/", pathNot: "^libs/ads/" },
      to: { path: "^(node:)?http2$" },
    },
    door("postgres-only-in-store", "pg|pg-pool|drizzle-orm", "libs/store"),
    door("kubernetes-only-in-kube", "@kubernetes/client-node", "libs/kube"),
    {
      name: "fastify-only-in-services",
      severity: "error",
      from: { path: "^libs/" },
      to: { path: "(^|/)node_modules/(fastify|@fastify)(/|$)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^libs/xds/gen/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};
