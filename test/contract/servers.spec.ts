/** The servers that tests and the lab start: real ones, below a folder of mode 0700, gone with their parent. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { diesWithParent, freePort } from "../../deploy/tools/child.ts";
import { startNats } from "../../deploy/tools/nats.ts";
import { root } from "../../deploy/tools/paths.mjs";
import { startPostgres } from "../../deploy/tools/postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-servers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("startPostgres", () => {
  it("serves below a folder of mode 0700, keeps its data folder over a kill, and syncs to disk", async () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const dataDir = join(folder, "postgres");
    const first = await startPostgres({ dataDir });
    await first.kill();
    const second = await startPostgres({ dataDir, port: first.port });
    expect(second.url).toBe(first.url);
    expect(statSync(`${dataDir}.password`).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dataDir, "postgresql.conf"), "utf8")).not.toMatch(/^fsync *= *off/m);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    expect(await accepts(first.port)).toBe(false);
  });

  it("fails with the server's own words where it cannot start", async () => {
    const start = startPostgres({ dataDir: join(folder, "refused"), settings: { max_connections: "none" } });
    await expect(start).rejects.toThrow(/invalid value for parameter "max_connections"/);
  });
});

describe("startNats", () => {
  it("serves its configuration on the given port and ends when asked", async () => {
    const port = await freePort();
    const nats = await startNats({ dir: join(folder, "nats"), port, config: 'server_name: "one"' });
    expect(nats.url).toBe(`nats://127.0.0.1:${port}`);
    expect(await accepts(port)).toBe(true);
    await nats.stop();
    expect(await accepts(port)).toBe(false);
  });

  it("fails with the server's own words where the configuration is wrong", async () => {
    await expect(startNats({ dir: join(folder, "wrong"), config: "jetstream {" })).rejects.toThrow(
      /Parse error/,
    );
  });
});

describe("a child", () => {
  it("ends when its parent is killed", async () => {
    const nats = JSON.stringify(join(root, "deploy/tools/nats.ts"));
    const dir = JSON.stringify(join(folder, "orphan"));
    const code = `const { startNats } = await import(${nats});
      console.log((await startNats({ dir: ${dir}, config: "" })).port);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const port = Number(line.toString());
    expect(await accepts(port)).toBe(true);
    parent.kill("SIGKILL");
    await expect.poll(() => accepts(port), { timeout: 5_000 }).toBe(false);
  });

  it("is started as it is where the kernel cannot tie it to its parent", () => {
    const argv = diesWithParent("SIGTERM", ["nats-server", "--help"]);
    expect(argv.slice(-2)).toEqual(["nats-server", "--help"]);
  });
});

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  const open = await Promise.race([
    once(socket, "connect").then(
      () => true,
      () => false,
    ),
    sleep(1_000, false),
  ]);
  socket.destroy();
  return open;
}
