/** A pod's Envoy and its files as a kubelet changes them: all at once, behind one link. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Door, openDoor, Streams } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { createTlsAuthority, nodeRandom } from "@hansa/identity";
import {
  agentRoots,
  BLACK_HOLE,
  blackHoleCluster,
  envoyArguments,
  envoyBootstrap,
  ResourceLayer,
  TYPE_URL,
} from "@hansa/xds";
import { afterAll, expect, it } from "vitest";
import { type Child, freePort, startChild } from "../../deploy/tools/child.ts";
import { envoyBinary } from "../../deploy/tools/paths.mjs";

const dir = mkdtempSync(join(tmpdir(), "hansa-pod-"));
const files = join(dir, "files");
const ports = { clock: systemClock, timers: systemTimers, log: silentLog, metrics: noMetrics };
const authority = () => createTlsAuthority("eu", { clock: systemClock, random: nodeRandom });
const [before, after] = [authority(), authority()];
const layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
layer.update(TYPE_URL.cluster, [[BLACK_HOLE, blackHoleCluster()]]);
const shown: (string | undefined)[] = [];
let door: Door | undefined;
let envoy: Child | undefined;
afterAll(async () => {
  await envoy?.stop();
  await door?.close();
  rmSync(dir, { recursive: true, force: true });
});

let version = 0;
function put(rootPem: string, token: string): void {
  version += 1;
  const data = `..${version}`;
  mkdirSync(join(files, data), { recursive: true });
  writeFileSync(join(files, data, "roots.json"), agentRoots(rootPem));
  writeFileSync(join(files, data, "token"), token);
  symlinkSync(data, join(files, "..new"));
  renameSync(join(files, "..new"), join(files, "..data"));
  if (version === 1)
    for (const name of ["roots.json", "token"]) symlinkSync(`..data/${name}`, join(files, name));
}

async function open(port: number, who: typeof before): Promise<void> {
  const streams = new Streams({ layers: [layer], owner: "shop/web", ...ports });
  door = await openDoor({
    host: "127.0.0.1",
    port,
    tls: who.issueServer(["127.0.0.1"]),
    admit: async (authorization) => {
      shown.push(authorization);
      return { kind: "admitted", streams };
    },
    ...ports,
  });
}

it("an Envoy shows the token of now, and takes an agent whose root has come since it started", async () => {
  const port = await freePort();
  put(before.certPem, "first");
  await open(port, before);
  const bootstrap = envoyBootstrap({
    nodeId: "shop/web",
    cluster: "eu",
    agent: { host: "127.0.0.1", port, directory: files, rootsFile: "roots.json", tokenFile: "token" },
    admin: { path: join(dir, "admin") },
  });
  envoy = await startChild({
    argv: [envoyBinary(), ...envoyArguments({ bootstrap, drainSeconds: 1 })],
    log: join(dir, "envoy.log"),
    stopSignal: "SIGTERM",
    isReady: async () => shown.length > 0,
  });
  expect(shown).toEqual(["Bearer first"]);
  await door?.close();
  await open(port, after);
  put(after.certPem, "second");
  await expect.poll(() => shown.at(-1), { timeout: 20_000 }).toBe("Bearer second");
});
