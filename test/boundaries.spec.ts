/** The import rules bite: one planted violation of each is reported, and nothing else is. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";

interface Report {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly { readonly resolved: string }[];
  }[];
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

const libs = ["core", "events", "model", "xds", "identity", "bus", "ads", "store", "kube", "telemetry"];
const services = ["hub", "agent", "cli", "lab"];
const outside = [
  "nats",
  "@nats-io/jwt",
  "@grpc/grpc-js",
  "pg",
  "drizzle-orm",
  "@kubernetes/client-node",
  "fastify",
  "yaml",
];

/** File → what it imports → the rule that forbids it; no rule where the import is allowed. */
const planted: readonly (readonly [file: string, specifier: string, rule?: string])[] = [
  ["libs/core/src/clock.ts", "node:fs", "no-node-in-pure-libs"],
  ["libs/events/src/codec.ts", "node:crypto", "no-node-in-pure-libs"],
  ["libs/model/src/fold.ts", "@hansa/bus", "no-adapters-in-pure-libs"],
  ["libs/xds/src/encode.ts", "yaml", "no-packages-in-pure-libs"],
  ["libs/identity/src/ca.ts", "@hansa/store", "no-adapter-to-adapter"],
  ["libs/bus/src/log.ts", "@hansa/telemetry", "no-adapter-to-adapter"],
  ["services/hub/src/peer.ts", "@hansa/agent", "no-service-to-service"],
  ["services/lab/src/peer.ts", "../../cli/index.ts", "no-service-to-service"],
  ["libs/store/src/up.ts", "@hansa/hub", "no-lib-to-service"],
  ["services/cli/src/up.ts", "../../../test/support.ts", "no-service-to-test"],
  ["services/agent/src/deep.ts", "@hansa/core/src/inner.ts", "must-resolve"],
  ["services/agent/src/past.ts", "../../../libs/core/src/inner.ts", "only-index-of-libs"],
  ["libs/model/src/past.ts", "../../core/src/inner.ts", "only-index-of-libs"],
  ["services/hub/src/seed.ts", "../../../libs/events/src/rig.ts", "rigs-in-specs-only"],
  ["services/hub/src/nats.ts", "nats", "nats-only-in-bus"],
  ["libs/identity/src/jwt.ts", "@nats-io/jwt", "nats-only-in-bus"],
  ["services/agent/src/grpc.ts", "@grpc/grpc-js", "grpc-library-in-tests-only"],
  ["libs/ads/src/grpc.ts", "@grpc/grpc-js", "grpc-library-in-tests-only"],
  ["services/agent/src/http2.ts", "node:http2", "http2-server-only-in-ads"],
  ["libs/telemetry/src/http2.ts", "node:http2", "http2-server-only-in-ads"],
  ["services/hub/src/sql.ts", "pg", "postgres-only-in-store"],
  ["services/hub/src/orm.ts", "drizzle-orm", "postgres-only-in-store"],
  ["services/agent/src/kube.ts", "@kubernetes/client-node", "kubernetes-only-in-kube"],
  ["libs/telemetry/src/http.ts", "fastify", "fastify-only-in-services"],
  ["libs/bus/src/ring-a.ts", "./ring-b.ts", "no-cycles"],
  ["libs/bus/src/ring-b.ts", "./ring-a.ts"],
  ["libs/bus/src/client.ts", "nats"],
  ["libs/ads/src/server.ts", "node:http2"],
  ["services/cli/src/call.ts", "node:http2"],
  ["test/contract/client.ts", "@grpc/grpc-js"],
  ["libs/store/src/pool.ts", "pg"],
  ["libs/kube/src/watch.ts", "@kubernetes/client-node"],
  ["libs/telemetry/src/file.ts", "node:fs"],
  ["services/hub/src/http.ts", "fastify"],
  ["services/hub/src/lib.ts", "@hansa/core"],
  ["libs/events/src/lib.ts", "@hansa/core"],
  ["test/e2e/internals.ts", "../../services/hub/src/http.ts"],
  ["test/e2e/inner.ts", "../../libs/core/src/inner.ts"],
];

const folder = mkdtempSync(join(tmpdir(), "hansa-boundaries-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("import boundaries", () => {
  it("reports one planted violation of every rule and nothing else", async () => {
    plantTree();
    const { summary } = await cruise(folder);
    const reported = summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`);
    const expected = planted.flatMap(([file, , rule]) => (rule === undefined ? [] : [`${rule}: ${file}`]));
    expect([...new Set(reported)].sort()).toEqual(expected.sort());
    expect(await ruleNames()).toEqual([...new Set(planted.flatMap(([, , rule]) => rule ?? []))].sort());
  }, 30_000);

  it("sees the modules of this checkout and follows imports from package to package", async () => {
    const { modules, summary } = await cruise(root);
    expect(summary.totalCruised).toBeGreaterThan(0);
    const edges = modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved }) => [source, resolved]),
    );
    const crossing = edges.filter(
      ([from = "", to]) => from.startsWith("libs/events/") && to === "libs/core/index.ts",
    );
    expect(crossing.length).toBeGreaterThan(0);
  }, 30_000);
});

function plantTree(): void {
  for (const name of libs) plantPackage(`libs/${name}`);
  for (const name of services) plantPackage(`services/${name}`);
  plant("libs/core/src/inner.ts", "export const inner = 1;\n");
  plant("test/support.ts", "export const support = 1;\n");
  plant("libs/events/src/rig.ts", "export const rig = 1;\n");
  for (const name of outside) {
    plant(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    plant(`node_modules/${name}/index.js`, "module.exports = {};\n");
  }
  for (const [file, specifier] of planted)
    plant(file, `import ${JSON.stringify(specifier)};\nexport const here = 1;\n`);
}

function plantPackage(path: string): void {
  const name = `@hansa/${path.split("/")[1]}`;
  plant(
    `${path}/package.json`,
    JSON.stringify({ name, version: "0.1.0", type: "module", exports: { ".": "./index.ts" } }),
  );
  plant(`${path}/index.ts`, "export const door = 1;\n");
  mkdirSync(join(folder, "node_modules/@hansa"), { recursive: true });
  symlinkSync(join(folder, path), join(folder, "node_modules", name));
}

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

async function ruleNames(): Promise<string[]> {
  const file = join(root, ".dependency-cruiser.mjs");
  const { default: config } = (await import(file)) as { default: { forbidden: readonly { name: string }[] } };
  return config.forbidden.map(({ name }) => name).sort();
}

function cruise(cwd: string): Promise<Report> {
  const tool = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const args = [
    tool,
    "--config",
    join(root, ".dependency-cruiser.mjs"),
    "--output-type",
    "json",
    "libs",
    "services",
    "test",
  ];
  return new Promise((resolve, reject) => {
    // The exit code counts violations; only a report that cannot be read is a failure here.
    execFile(process.execPath, args, { cwd, maxBuffer: 1 << 28 }, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as Report);
      } catch {
        reject(new Error(`dependency-cruiser: no report: ${stderr}`));
      }
    });
  });
}
