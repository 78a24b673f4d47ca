/** Go programs are built once, whoever asks at the same time and whoever is killed at it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { root } from "../../deploy/tools/paths.mjs";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hansa-go-build-"));
  writeFileSync(join(dir, "go.mod"), "module example\n\ngo 1.26.0\n");
  writeFileSync(join(dir, "main.go"), 'package main\n\nfunc main() { println("built") }\n');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it("is built once for callers at the same time, and leaves nothing else", async () => {
  const builders = [start(), start(), start()];
  const told = await Promise.all(builders.map(({ done }) => done));
  expect(new Set(told).size).toBe(1);
  expect(told[0]).toMatch(/\/hansa\/tools\/[0-9a-f]{16}$/);
  expect(foldersIn(dir)).toEqual([told[0]?.split("/").at(-1)]);
});

it("is built anew where a builder was killed at any time", async () => {
  for (const waitMs of [150, 400, 800]) {
    const { child, done } = start();
    await sleep(waitMs);
    // The builder and all that it started: it leads a process group.
    if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL");
    await done;
  }
  expect(await start().done).toMatch(/\/hansa\/tools\/[0-9a-f]{16}$/);
});

/** A process that builds; `done` is what it says on stdout. */
function start() {
  const script = `
    import { goPrograms } from ${JSON.stringify(join(root, "deploy/tools/go-build.ts"))};
    process.stdout.write(goPrograms({ what: "a test", module: ${JSON.stringify(dir)}, packages: ["."], sources: ["*.go"] }));`;
  const go = process.env.GOCACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "go-build");
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    detached: true,
    env: { ...process.env, XDG_CACHE_HOME: join(dir, "cache"), GOCACHE: go },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  return { child, done: once(child, "close").then(() => text) };
}

function foldersIn(home: string): string[] {
  const entries = readdirSync(join(home, "cache/hansa/tools"), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
