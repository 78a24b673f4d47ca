/** Credentials that change under an agent at work: nothing is withdrawn, nothing fails, memory stays flat. */
import { systemClock } from "@hansa/core";
import { createTlsAuthority, nodeRandom } from "@hansa/identity";
import { Access, KubeClient, kubeconfig, PODS, reviewToken } from "@hansa/kube";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { share, tell } from "../support/tier.ts";
import { type AgentAccount, agentAccount } from "./support/account.ts";
import { clientOf, ports } from "./support/client.ts";
import { Growth } from "./support/growth.ts";
import { accountFolder, contextFiles } from "./support/rotating.ts";
import { changeSlice, createSlice, sliceNamed, sure } from "./support/slices.ts";
import { tlsBridge } from "./support/tls-bridge.ts";
import { removals, watched } from "./support/watched.ts";

const ROTATIONS = share(200);
/** Over the last three quarters of the rotations, the load's noise included. */
const GROWTH_MIB_MAX = 4;

let kube: Kube;
let eu: KubeCluster;
let admin: KubeClient;
let account: AgentAccount;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"] });
  eu = kube.cluster("eu");
  admin = clientOf(eu, ports(), { rights: undefined });
  account = await agentAccount(eu, admin);
});
afterAll(() => kube.close());

describe("a token that is replaced", () => {
  it(`${ROTATIONS} times under load costs nothing, and memory stays flat`, async () => {
    const folder = await accountFolder(eu.url, eu.caPem, await account.boundToken("pod-0"));
    let aheadMs = 0;
    const own = {
      ...ports(),
      clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs },
    };
    const access = new Access(folder.source, own);
    const client = new KubeClient({ access, ports: own });
    await createSlice(admin, "kept", 3);
    const seen = await watched(client, own);
    const load = startLoad(client);
    const growth = new Growth();
    for (let turn = 1; turn <= ROTATIONS; turn += 1) {
      folder.setToken(await account.boundToken(`pod-${turn}`));
      await account.deletePod(`pod-${turn - 1}`);
      // A minute passes: the file is read again.
      aheadMs += 60_000;
      await changeSlice(admin, "kept", 3, turn);
      await expect.poll(() => seen.diary.length, { timeout: 10_000 }).toBe(1 + turn);
      if (turn === Math.ceil(ROTATIONS / 4)) growth.begin();
    }
    const { sent, failures } = await load.end();
    const grownMib = growth.mib();
    seen.stop();
    folder.remove();
    access.close();
    expect(own.counted("hansa_kube_credential_reads_total", { outcome: "read" })).toBeGreaterThan(
      ROTATIONS / 2,
    );
    expect(sent).toBeGreaterThan(ROTATIONS);
    expect([failures, removals(seen.diary), seen.reflector.problem]).toEqual([0, [], undefined]);
    expect(grownMib).toBeLessThan(GROWTH_MIB_MAX);
    tell({
      promise: "200 rotations of a token under load: nothing withdrawn, nothing failed, memory flat",
      seen: `${ROTATIONS} rotations, ${failures} of ${sent} requests failed, ${grownMib.toFixed(1)} MiB`,
      kept: failures === 0 && grownMib < GROWTH_MIB_MAX,
    });
  }, 600_000);

  it("by nothing is an error with its code; nothing is withdrawn; the next one is read at once", async () => {
    const folder = await accountFolder(eu.url, eu.caPem, await account.boundToken("old"));
    const sidecars = await account.boundToken("old", ["hansa"]);
    expect(await reviewToken(admin, sidecars, ["hansa"])).toMatchObject({
      authenticated: true,
      podName: "old",
    });
    const own = ports();
    const client = new KubeClient({ access: new Access(folder.source, own), ports: own });
    const list = () => client.send({ method: "GET", target: sliceNamed() });
    const seen = await watched(client, own);
    await account.deletePod("old");
    // The API server believes a token for 10 s after it has looked at it.
    await expect.poll(async () => (await list()).ok, { timeout: 15_000 }).toBe(false);
    expect(await list()).toMatchObject({ ok: false, problem: { kind: "unauthenticated", status: 401 } });
    expect(removals(seen.diary)).toEqual([]);
    expect(await reviewToken(admin, sidecars, ["hansa"])).toMatchObject({ authenticated: false });
    folder.setToken(await account.boundToken("new"));
    expect((await list()).ok).toBe(true);
    seen.stop();
    folder.remove();
  });
});

describe("a token that a sidecar shows", () => {
  it("names its pod, for its audience alone", async () => {
    const token = await account.boundToken("sidecar", ["hansa"]);
    const target = { resource: PODS, namespace: "default", name: "sidecar" };
    const pod = await sure(admin, { method: "GET", target });
    expect(await reviewToken(admin, token, ["hansa"])).toEqual({
      authenticated: true,
      namespace: "default",
      serviceAccount: "agent",
      podName: "sidecar",
      podUid: pod.metadata.uid,
    });
    expect(await reviewToken(admin, token, ["other"])).toEqual({
      authenticated: false,
      reason: expect.stringContaining("audience"),
    });
  });

  it.each(["", "nonsense", "a.b.c", "x".repeat(20_000)])("and is none is refused", async (token) => {
    expect(await reviewToken(admin, token, ["hansa"])).toMatchObject({ authenticated: false });
  });

  it("and is of a service account without a pod names none", async () => {
    const token = (await eu.kubectl.ok(["create", "token", "default", "--audience=hansa"])).trim();
    expect(await reviewToken(admin, token, ["hansa"])).toMatchObject({
      authenticated: true,
      podName: undefined,
    });
  });
});

/** Requests without a pause, two at once. */
function startLoad(client: KubeClient): {
  end(): Promise<{ readonly sent: number; readonly failures: number }>;
} {
  const done = { sent: 0, failures: 0 };
  let isOver = false;
  const one = async (): Promise<void> => {
    while (!isOver) {
      const { ok } = await client.send({ method: "GET", target: sliceNamed() });
      done.sent += 1;
      if (!ok) done.failures += 1;
    }
  };
  const both = Promise.all([one(), one()]);
  return {
    async end() {
      isOver = true;
      await both;
      return done;
    },
  };
}

describe("certificates that are replaced on both sides", () => {
  it("cost nothing: requests fail until the files are replaced too, then the watch goes on", async () => {
    const { hostname } = new URL(eu.url);
    const authority = () => createTlsAuthority("in front", { clock: systemClock, random: nodeRandom });
    const [servers, clients, newServers, newClients] = [authority(), authority(), authority(), authority()];
    const front = await tlsBridge(eu, servers.issueServer([hostname]), clients.certPem);
    const files = contextFiles(front.url, eu.adminToken);
    files.set(servers.certPem, clients.issueServer(["agent"]));
    const own = ports();
    const access = new Access(await kubeconfig({ path: files.kubeconfig }), own);
    const client = new KubeClient({ access, ports: own });
    await createSlice(admin, "under-ca", 3);
    const seen = await watched(client, own);
    seen.diary.length = 0;
    front.replace(newServers.issueServer([hostname]), newClients.certPem);
    await expect.poll(() => seen.reflector.problem?.code, { timeout: 10_000 }).toBe("HSA7001");
    files.set(newServers.certPem, newClients.issueServer(["agent"]));
    await changeSlice(admin, "under-ca", 3, 1);
    await expect.poll(() => seen.diary.at(-1), { timeout: 20_000 }).toBe("set default/under-ca");
    expect([removals(seen.diary), seen.reflector.problem]).toEqual([[], undefined]);
    seen.stop();
    access.close();
    files.remove();
    await front.close();
  });
});
