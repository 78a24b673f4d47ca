import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { afterAll, describe, expect, it } from "vitest";
import { SOCKETS_MAX } from "../client/limits.ts";
import { VirtualTime } from "../virtual.rig.ts";
import { Access } from "./access.ts";
import { inCluster } from "./in-cluster.ts";
import { kubeconfig } from "./kubeconfig.ts";
import type { Material, MaterialSource } from "./material.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-kube-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe("a pod's service account", () => {
  const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

  it("is read from its files, anew each time", async () => {
    file("namespace", "hansa-system\n");
    file("ca.crt", "CA 1");
    file("token", "t-1\n");
    const source = await inCluster(env, folder);
    expect([source.server, source.namespace]).toEqual(["https://10.0.0.1:443", "hansa-system"]);
    expect(await source.read(false)).toEqual({
      tls: { ca: "CA 1" },
      headers: { authorization: "Bearer t-1" },
    });
    file("token", "t-2");
    expect((await source.read(false)).headers).toEqual({ authorization: "Bearer t-2" });
  });

  it("is reached by IPv6 too", async () => {
    const source = await inCluster({ ...env, KUBERNETES_SERVICE_HOST: "fd00::1" }, folder);
    expect(source.server).toBe("https://[fd00::1]:443");
  });

  it("that is not there, or is empty, is an error that says which file", async () => {
    await expect(inCluster({}, folder)).rejects.toMatchObject({ code: "HSA7004", message: /in no pod/ });
    await expect(inCluster(env, join(folder, "none"))).rejects.toMatchObject({
      code: "HSA7004",
      message: expect.stringContaining(join(folder, "none", "namespace")),
    });
    file("token", "");
    const source = await inCluster(env, folder);
    await expect(source.read(false)).rejects.toMatchObject({ code: "HSA7004", message: /token: is empty/ });
  });
});

interface Cluster {
  readonly server?: string;
  readonly [field: string]: unknown;
}

/** JSON is YAML. */
function written(name: string, cluster: Cluster = {}, user: object = { token: "t-1" }): string {
  return file(
    name,
    JSON.stringify({
      "current-context": "eu",
      clusters: [
        {
          name: "c",
          cluster: {
            server: "https://127.0.0.1:6443",
            "certificate-authority-data": Buffer.from("CA").toString("base64"),
            ...cluster,
          },
        },
      ],
      users: [{ name: "u", user }],
      contexts: [
        { name: "eu", context: { cluster: "c", user: "u", namespace: "shop" } },
        { name: "nowhere", context: { cluster: "gone", user: "u" } },
      ],
    }),
  );
}

describe("a kubeconfig", () => {
  it("gives server, CA and token of its current context", async () => {
    const source = await kubeconfig({ path: written("a") });
    expect([source.server, source.namespace]).toEqual(["https://127.0.0.1:6443", "shop"]);
    expect(await source.read(false)).toEqual({ tls: { ca: "CA" }, headers: { authorization: "Bearer t-1" } });
  });

  it("is read anew: files that it names, and itself", async () => {
    const token = file("file-token", "f-1");
    const path = written("b", {}, { "auth-provider": { name: "x", config: { tokenFile: token } } });
    const source = await kubeconfig({ path });
    expect((await source.read(false)).headers).toEqual({ authorization: "Bearer f-1" });
    file("file-token", "f-2\n");
    expect((await source.read(false)).headers).toEqual({ authorization: "Bearer f-2" });
    const certificate = file("client.crt", "CERT");
    written(
      "b",
      {},
      { "client-certificate": certificate, "client-key-data": Buffer.from("KEY").toString("base64") },
    );
    expect((await source.read(false)).tls).toEqual({ ca: "CA", cert: "CERT", key: "KEY" });
  });

  it("asks a plugin for credentials, and again only after a refusal", async () => {
    const count = join(folder, "calls");
    const plugin = file(
      "plugin",
      `#!/bin/sh\necho x >> ${count}\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"p-'$(wc -l < ${count} | tr -d ' ')'"}}'\n`,
    );
    chmodSync(plugin, 0o700);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
    const source = await kubeconfig({ path: written("c", {}, { exec }) });
    const token = async (refused: boolean): Promise<string> =>
      (await source.read(refused)).headers.authorization ?? "";
    expect([await token(false), await token(false), await token(true)]).toEqual([
      "Bearer p-1",
      "Bearer p-1",
      "Bearer p-2",
    ]);
  });

  it.each([
    ["a plain server", { server: "http://127.0.0.1:8080" }, "is not https"],
    ["a server with a path", { server: "https://h/k8s" }, "has a path"],
    ["no URL", { server: "nonsense" }, "is no URL"],
    ["an unchecked certificate", { "insecure-skip-tls-verify": true }, "insecure-skip-tls-verify"],
    ["a proxy", { "proxy-url": "http://p" }, "proxy-url"],
  ])("with %s is refused", async (_what, cluster, said) => {
    await expect(kubeconfig({ path: written("bad", cluster) })).rejects.toMatchObject({
      code: "HSA7004",
      message: expect.stringContaining(said),
    });
  });

  it("without a CA is refused: the system's authorities are nobody's cluster", async () => {
    const source = await kubeconfig({ path: written("no-ca", { "certificate-authority-data": undefined }) });
    await expect(source.read(false)).rejects.toMatchObject({
      code: "HSA7004",
      message: /no certificate-authority/,
    });
  });

  it("that is missing or names what is not there says so", async () => {
    const path = join(folder, "none");
    await expect(kubeconfig({ path })).rejects.toMatchObject({
      code: "HSA7004",
      message: expect.stringContaining(path),
    });
    await expect(kubeconfig({ path: written("a"), context: "us" })).rejects.toMatchObject({
      message: expect.stringContaining('no context "us"; it has eu, nowhere'),
    });
    await expect(kubeconfig({ path: written("a"), context: "nowhere" })).rejects.toMatchObject({
      message: expect.stringContaining("names a cluster that is not there"),
    });
  });

  it("that moves to another server is not followed there with credentials", async () => {
    const source = await kubeconfig({ path: written("moves") });
    written("moves", { server: "https://127.0.0.2:6443" });
    await expect(source.read(false)).rejects.toMatchObject({ code: "HSA7004", message: /another server/ });
  });
});

describe("the way to an API server", () => {
  let reads = 0;
  let material: Material | Error = new Error();
  const source: MaterialSource = {
    server: "https://127.0.0.1:1",
    namespace: "default",
    name: "test",
    read: () => {
      reads += 1;
      return material instanceof Error ? Promise.reject(material) : Promise.resolve(material);
    },
  };
  const gives = (token: string, ca = "CA"): void => {
    material = { tls: { ca }, headers: { authorization: token } };
  };
  const fresh = (): { readonly time: VirtualTime; readonly access: Access } => {
    const time = new VirtualTime();
    reads = 0;
    return { time, access: new Access(source, time.ports) };
  };

  it("is read once a minute, over one agent", async () => {
    const { time, access } = fresh();
    gives("1");
    const first = await access.way();
    gives("2");
    await time.pass(59_999);
    expect(await access.way()).toBe(first);
    await time.pass(1);
    const second = await access.way();
    expect([second.material.headers.authorization, second.agent === first.agent, reads]).toEqual([
      "2",
      true,
      2,
    ]);
  });

  it("is read at once after a refusal, once for all that were refused", async () => {
    const { access } = fresh();
    gives("1");
    const old = await access.way();
    gives("2");
    const both = await Promise.all([access.refused(old), access.refused(old)]);
    expect(both.map((way) => way?.material.headers.authorization)).toEqual(["2", "2"]);
    expect([(await access.refused(old))?.material.headers.authorization, reads]).toEqual(["2", 2]);
  });

  it("is no other where nothing has changed", async () => {
    const { access } = fresh();
    gives("1");
    expect(await access.refused(await access.way())).toBeUndefined();
  });

  it("has so many connections and no more", async () => {
    const { access } = fresh();
    gives("1");
    expect((await access.way()).agent.maxSockets).toBe(SOCKETS_MAX);
  });

  it.each(["CA", "client certificate"])("has a new agent with a new %s", async (what) => {
    const { time, access } = fresh();
    gives("1");
    const before = await access.way();
    material = { tls: what === "CA" ? { ca: "CA 2" } : { ca: "CA", cert: "C", key: "K" }, headers: {} };
    await time.pass(60_000);
    const after = await access.way();
    expect([after.agent === before.agent, before.agent.maxFreeSockets]).toEqual([false, 0]);
  });

  it("is read again soon where a connection failed", async () => {
    const { access } = fresh();
    gives("1");
    const before = await access.way();
    gives("1", "CA 2");
    access.distrust();
    expect((await access.way()).agent).not.toBe(before.agent);
  });

  it("stays in force while credentials cannot be read, and is an error where they never could", async () => {
    const { time, access } = fresh();
    material = new HansaError("HSA7004", "gone");
    await expect(access.way()).rejects.toMatchObject({ code: "HSA7004" });
    gives("1");
    const good = await access.way();
    material = new HansaError("HSA7004", "gone");
    await time.pass(60_000);
    expect(await access.way()).toBe(good);
  });
});
