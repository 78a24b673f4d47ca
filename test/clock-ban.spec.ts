/** The lint rule against clocks, timers and randomness bites where it should and only there. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";

const banned = [
  "Date.now();",
  "const read = Date.now; read();",
  "new Date();",
  "performance.now();",
  "process.hrtime.bigint();",
  "Math.random();",
  "crypto.randomUUID();",
  'import { randomBytes } from "node:crypto"; randomBytes(4);',
  "setTimeout(() => {}, 5);",
  "setInterval(() => {}, 5);",
  "globalThis.setTimeout(() => {}, 5);",
  "setImmediate(() => {});",
  "AbortSignal.timeout(5);",
  'import { setTimeout as sleep } from "node:timers/promises"; await sleep(5);',
];
const allowed = [
  "new Date(5);",
  "Date.UTC(2026, 1);",
  "Math.max(1, 2);",
  "clock.now();",
  "clock.setTimeout(5);",
];
const everything = banned.join("\n");

const folder = mkdtempSync(join(tmpdir(), "hansa-clock-ban-"));
const planted: Readonly<Record<string, string>> = {
  ...Object.fromEntries(banned.map((code, index) => [`libs/model/src/banned-${index}.ts`, code])),
  ...Object.fromEntries(allowed.map((code, index) => [`libs/model/src/allowed-${index}.ts`, code])),
  "services/hub/src/deep/hub.ts": everything,
  "services/agent/src/agent.ts": everything,
  "libs/core/src/clock.ts": everything,
  "services/lab/src/lab.ts": everything,
  "services/cli/src/cli.ts": everything,
  "services/hub/src/main.ts": everything,
  "libs/model/src/fold.spec.ts": everything,
  "test/e2e/01-link.spec.ts": everything,
};
const reported = new Set<string>();

beforeAll(async () => {
  for (const path of ["biome.json", ".gitignore", "deploy/lint"]) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  for (const [path, code] of Object.entries(planted)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${code}\n`);
  }
  for (const path of await lintedFiles()) reported.add(path);
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the ban on clocks, timers and randomness", () => {
  it.each(banned.map((code, index) => [code, index]))("refuses %s", (_code, index) => {
    expect(reported).toContain(`libs/model/src/banned-${index}.ts`);
  });

  it.each(allowed.map((code, index) => [code, index]))("allows %s", (_code, index) => {
    expect(reported).not.toContain(`libs/model/src/allowed-${index}.ts`);
  });

  it("holds in every service save the lab and the CLI", () => {
    expect(reported).toContain("services/hub/src/deep/hub.ts");
    expect(reported).toContain("services/agent/src/agent.ts");
  });

  it.each(Object.keys(planted).slice(-6))("leaves %s alone", (path) => {
    expect(reported).not.toContain(path);
  });
});

/** The files in which the rule, or its twin for imports, found something. */
function lintedFiles(): Promise<string[]> {
  const args = [
    join(root, "node_modules/@biomejs/biome/bin/biome"),
    "lint",
    "--reporter=json",
    "--max-diagnostics=none",
    ".",
  ];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 28 }, (_error, stdout, stderr) => {
      try {
        const { diagnostics } = JSON.parse(stdout) as {
          diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[];
        };
        const ours = diagnostics.filter(({ category }) => /^plugin$|noRestrictedImports/.test(category));
        resolve(ours.map(({ location }) => location.path));
      } catch {
        reject(new Error(`biome: no report: ${stderr}`));
      }
    });
  });
}
