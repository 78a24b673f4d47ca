/** A pod's proxy is who its projected token says, as a real API server judges it; and a real Envoy in a pod shows one. */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Door, openDoor, Streams } from "@hansa/ads";
import { systemClock, systemTimers } from "@hansa/core";
import { createTlsAuthority, nodeRandom } from "@hansa/identity";
import { applyPatch, inject, type Pod, ROOTS, ROOTS_FILE } from "@hansa/inject";
import { type KubeClient, reviewToken } from "@hansa/kube";
import { agentRoots, BLACK_HOLE, blackHoleCluster, ResourceLayer, TYPE_URL } from "@hansa/xds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../deploy/tools/child.ts";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { ProxyDoor } from "../../services/agent/src/proxy/door/proxy-door.ts";
import { TokenReviews } from "../../services/agent/src/proxy/door/token-reviews.ts";
import { AdsClient } from "../conformance/xds/client.ts";
import { expectOutput, field } from "./support/ask.ts";
import { clientOf, ports } from "./support/client.ts";

const [UNAUTHENTICATED, PERMISSION_DENIED] = [16, 7];
const DOOR_PORT = 15_010;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const dir = mkdtempSync(join(tmpdir(), "hansa-first-"));
const authority = createTlsAuthority("eu", { clock: systemClock, random: nodeRandom });
const own = ports();
const layer = new ResourceLayer({ sha256 });
const clients: AdsClient[] = [];

let kube: Kube;
let eu: KubeCluster;
let admin: KubeClient;
let reviewed = 0;
let proxies: ProxyDoor;
let door: Door;

beforeAll(async () => {
  const port = await freePort();
  kube = await startKube({
    clusters: ["eu"],
    nodes: { forwards: [{ port: DOOR_PORT, to: `127.0.0.1:${port}` }] },
  });
  eu = kube.cluster("eu");
  admin = clientOf(eu, own);
  const reviews = new TokenReviews({
    review: (token) => {
      reviewed += 1;
      return reviewToken(admin, token, ["hansa"]);
    },
    sha256,
    clock: systemClock,
  });
  proxies = new ProxyDoor({ review: (token) => reviews.review(token), timers: systemTimers });
  const { certPem, keyPem } = authority.issueServer(["127.0.0.1", eu.options.plan.nodeIp]);
  door = await openDoor({
    host: "127.0.0.1",
    port,
    tls: { certPem, keyPem },
    admit: (authorization) => proxies.admit(authorization),
    ...own,
  });
  layer.update(TYPE_URL.cluster, [[BLACK_HOLE, blackHoleCluster()]]);
  writeFileSync(join(dir, "ca.pem"), authority.certPem);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await door?.close();
  await kube?.close();
  rmSync(dir, { recursive: true, force: true });
});

const shell = { name: "app", image: "busybox", command: ["sleep", "3600"] };
const podOf = (name: string, spec: object = {}): Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { containers: [shell], terminationGracePeriodSeconds: 2, ...spec },
  }) as Pod;

/** Makes the pod, and lets its proxy in. */
async function start(pod: Pod): Promise<string> {
  await eu.apply(JSON.stringify(pod));
  const name = pod.metadata?.name ?? "";
  const uid = await field(eu, `pod/${name}`, ".metadata.uid");
  const streams = new Streams({ layers: [layer], owner: `default/${name}`, ...own });
  proxies.add({
    pod: { namespace: "default", name, uid, serviceAccount: "default" },
    streams: () => streams,
    onCome: () => {},
  });
  return uid;
}

const tokenOf = async (pod: string, audience = "hansa"): Promise<string> => {
  const uid = await field(eu, `pod/${pod}`, ".metadata.uid");
  const bound = ["--bound-object-kind=Pod", `--bound-object-name=${pod}`, `--bound-object-uid=${uid}`];
  return (await eu.kubectl.ok(["create", "token", "default", `--audience=${audience}`, ...bound])).trim();
};

/**
 * The API server issues no token that ends within ten minutes: this is one of its own with other claims, signed by the key of
 * the cluster's service accounts.
 */
function resigned(token: string, claims: object, key?: KeyObject): string {
  const [head = "", body = ""] = token.split(".");
  const own = createPrivateKey(readFileSync(eu.options.credentials.files.accountsKey));
  const all = { ...JSON.parse(Buffer.from(body, "base64url").toString()), ...claims };
  const text = `${head}.${Buffer.from(JSON.stringify(all)).toString("base64url")}`;
  const signature = sign("sha256", Buffer.from(text), { key: key ?? own, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

/** The status with which a stream of this node and token ends, or "served". */
async function outcome(nodeId: string, token: string | undefined): Promise<number | "served"> {
  const client = new AdsClient({
    address: door.address,
    tls: { ca: join(dir, "ca.pem") },
    nodeId,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
  clients.push(client);
  client.send(TYPE_URL.cluster, { subscribe: [BLACK_HOLE] });
  return await Promise.race([
    client.next(undefined, 10_000).then(
      () => "served" as const,
      () => client.ended.then(({ code }) => code),
    ),
    client.ended.then(({ code }) => code),
  ]);
}

describe("a stream", () => {
  beforeAll(async () => {
    await start(podOf("web"));
    await start(podOf("pay"));
  });

  it("with its pod's own token is served, and asks the API server once", async () => {
    const token = await tokenOf("web");
    reviewed = 0;
    expect(await outcome("default/web", token)).toBe("served");
    expect(await outcome("default/web", token)).toBe("served");
    expect(reviewed).toBe(1);
  });

  it("of another pod's node is refused, whatever its token", async () => {
    expect(await outcome("default/pay", await tokenOf("web"))).toBe(PERMISSION_DENIED);
  });

  it("without a token, or with one for somebody else or of nobody, is refused", async () => {
    expect(await outcome("default/web", undefined)).toBe(UNAUTHENTICATED);
    expect(await outcome("default/web", "x.y.z")).toBe(UNAUTHENTICATED);
    expect(await outcome("default/web", await tokenOf("web", "vault"))).toBe(UNAUTHENTICATED);
    expect(await outcome("default/web", eu.adminToken)).toBe(UNAUTHENTICATED);
  });

  it("with a token that has ended is refused; but for its end it would be served", async () => {
    const token = await tokenOf("web");
    const nowS = Math.floor(Date.now() / 1000);
    const signed = (endS: number): string =>
      resigned(token, { iat: nowS - 3600, nbf: nowS - 3600, exp: endS });
    expect(await outcome("default/web", signed(nowS + 60))).toBe("served");
    // An API server allows for a minute of skew.
    expect(await outcome("default/web", signed(nowS - 61))).toBe(UNAUTHENTICATED);
    const stranger = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    expect(await outcome("default/web", resigned(token, {}, stranger))).toBe(UNAUTHENTICATED);
  });

  it("with a token that is bound to no pod is refused", async () => {
    const token = (await eu.kubectl.ok(["create", "token", "default", "--audience=hansa"])).trim();
    expect(await outcome("default/web", token)).toBe(PERMISSION_DENIED);
  });

  it("of a pod that is gone, or that has come again under the name, is refused", async () => {
    await start(podOf("gone"));
    const token = await tokenOf("gone");
    await eu.kubectl.ok(["delete", "pod/gone", "--wait"]);
    expect(await outcome("default/gone", token)).toBe(UNAUTHENTICATED);
    await start(podOf("gone"));
    expect(await outcome("default/gone", token)).toBe(UNAUTHENTICATED);
    expect(await outcome("default/gone", await tokenOf("gone"))).toBe("served");
  });
});

describe("an Envoy in a pod", () => {
  it("shows the projected token, has its configuration before the application starts, and drains at its end", async () => {
    const settings = {
      cluster: "eu",
      proxyImage: "envoyproxy/envoy:v1.40.0",
      rulesImage: "hansa:lab",
      agent: { host: eu.options.plan.nodeIp, port: DOOR_PORT },
      excludeOutboundCidrs: [],
    };
    const probed = { ...shell, readinessProbe: { exec: { command: ["true"] } } };
    const pod = podOf("meshed", { containers: [probed] });
    const injection = inject(pod, { "hansa.dev/inject": "enabled" }, settings);
    if (injection.kind !== "patch") throw new Error(JSON.stringify(injection));
    await eu.apply(JSON.stringify(applyPatch(pod, injection.patch)));
    // The pod waits for the roots of its agent.
    await expectOutput(eu, ["get", "events", "-o", "jsonpath={.items[*].message}"], /hansa-roots/);
    const data = { [ROOTS_FILE]: agentRoots(authority.certPem) };
    const metadata = { name: ROOTS, namespace: "default" };
    await eu.apply(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data }));
    // Nobody lets it in yet: the proxy runs and the application does not.
    const proxy = ".status.initContainerStatuses[1].state.running.startedAt";
    await expectOutput(eu, ["get", "pod/meshed", "-o", `jsonpath={${proxy}}`], /./);
    expect(await field(eu, "pod/meshed", ".status.containerStatuses[0].state.running")).toBe("");
    const uid = await field(eu, "pod/meshed", ".metadata.uid");
    const streams = new Streams({ layers: [layer], owner: "default/meshed", ...own });
    proxies.add({
      pod: { namespace: "default", name: "meshed", uid, serviceAccount: "default" },
      streams: () => streams,
      onCome: () => {},
    });
    await eu.kubectl.ok(["wait", "pod/meshed", "--for=condition=Ready", "--timeout=25s"]);
    expect(streams.status().streams).toBe(1);
    await eu.kubectl.ok(["delete", "pod/meshed", "--wait"]);
    await expect.poll(() => streams.status().streams).toBe(0);
  });
});
