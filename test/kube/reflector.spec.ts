/** List and watch against a real API server and what happens to those: crashes, backups, compaction, slow lines, missing rights. */
import { type KubeClient, type KubeObject, Reflector, SERVICES } from "@hansa/kube";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { type LineProxy, lineProxy } from "../chaos/tcp-proxy.ts";
import { share, tell } from "../support/tier.ts";
import { type Counted, clientOf, ports } from "./support/client.ts";
import {
  changeSlice,
  createSlice,
  deleteSlice,
  each,
  projectService,
  projectSlice,
  serviceBody,
  serviceNamed,
  sliceNamed,
  sure,
} from "./support/slices.ts";
import { removals, type Watched, watched } from "./support/watched.ts";

/** Nothing here waits for the long outage after which everything is listed: what finds the fault must be the check. */
const PATIENT = { outageMs: 3_600_000, confirmAfterMs: 200 };

let kube: Kube;
let eu: KubeCluster;
let own: Counted;
/** Between the reflector under test and its API server. */
let line: LineProxy;
let lineUrl: string;
let seen: Watched | undefined;
let made = 0;
/** Writes past the line and with every right. */
let admin: KubeClient;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"], etcd: "each" });
  eu = kube.cluster("eu");
  admin = clientOf(eu, ports(), { rights: undefined });
  const { hostname, port } = new URL(eu.url);
  line = await lineProxy(hostname, Number(port) + 10_000, { host: hostname, port: Number(port) });
  lineUrl = `https://${hostname}:${line.port}`;
});
afterAll(async () => {
  await line.close();
  await kube.close();
});
beforeEach(() => {
  own = ports();
});
afterEach(() => {
  seen?.stop();
  line.set({ kind: "none" });
});

const overLine = () => clientOf(eu, own, { server: lineUrl });

/** `count` new slices with names of their own. */
async function slices(count: number): Promise<string[]> {
  made += 1;
  const names = Array.from({ length: count }, (_, index) => `t${made}-${String(index).padStart(4, "0")}`);
  await each(names, (name) => createSlice(admin, name, 3));
  return names;
}

const has = (name: string): Promise<void> =>
  expect.poll(() => seen?.names().includes(name), { timeout: 10_000 }).toBe(true);
const hasNot = (name: string): Promise<void> =>
  expect.poll(() => seen?.names().includes(name), { timeout: 10_000 }).toBe(false);

describe("list and watch", () => {
  it("tells what is there, in pages, then every change", async () => {
    const names = await slices(30);
    seen = await watched(overLine(), own, { settings: { pageObjects: 7 } });
    expect(seen.names()).toEqual(names);
    expect(own.counted("hansa_kube_requests_total", { right: "list endpointslices.discovery.k8s.io" })).toBe(
      5,
    );
    seen.diary.length = 0;
    await changeSlice(admin, names[3]!, 3, 1);
    await deleteSlice(admin, names[4]!);
    await createSlice(admin, `${names[0]}-more`, 3);
    await has(`${names[0]}-more`);
    expect(seen.diary).toEqual([
      `set default/${names[3]}`,
      `removed default/${names[4]}`,
      `set default/${names[0]}-more`,
    ]);
  });

  it("does not tell what changes nothing of interest", async () => {
    const [name = ""] = await slices(1);
    seen = await watched(overLine(), own);
    seen.diary.length = 0;
    const annotated = ["annotate", "endpointslice", name, "hansa.test/a=1"];
    await eu.kubectl.ok(annotated);
    await changeSlice(admin, name, 3, 5);
    await expect.poll(() => seen?.diary).toEqual([`set default/${name}`]);
  });

  it("goes on where a callback throws and where an object cannot be read", async () => {
    const [unreadable = "", name = ""] = await slices(2);
    seen = await watched(overLine(), own, {
      project: (object) => {
        if (object.metadata.name === unreadable) throw new Error("of no use");
        return projectSlice(object);
      },
      onChanges: () => {
        throw new Error("not now");
      },
    });
    await changeSlice(admin, unreadable, 3, 1);
    await deleteSlice(admin, name);
    await hasNot(name);
    expect(own.counted("hansa_kube_callback_failures_total")).toBe(2);
    expect(own.counted("hansa_kube_unreadable_total")).toBe(2);
    expect(own.logged.filter((text) => text.includes("of no use"))).toHaveLength(2);
  });

  it(`keeps up with a burst of ${share(5000)} changes, and ends with the last of each`, async () => {
    const names = await slices(20);
    seen = await watched(overLine(), own);
    const burst = Array.from({ length: share(5000) }, (_, turn) => String(turn));
    await each(burst, (turn) => changeSlice(admin, names[Number(turn) % 20]!, 3, 1 + Number(turn)));
    await createSlice(admin, `${names[0]}-last`, 3);
    await has(`${names[0]}-last`);
    const { items } = (await sure(admin, { method: "GET", target: sliceNamed() })) as unknown as {
      readonly items: readonly KubeObject[];
    };
    const truth = items.map((object) => [`default/${object.metadata.name}`, projectSlice(object)]);
    expect(Object.fromEntries(seen.reflector.values)).toEqual(Object.fromEntries(truth));
    expect([own.counted("hansa_kube_watch_problems_total"), removals(seen.diary)]).toEqual([0, []]);
  });

  it(`is in step with ${share(1000)} Services of 100 endpoints soon after its start`, async () => {
    made += 1;
    const names = Array.from({ length: share(1000) }, (_, index) => `t${made}-${index}`);
    await each(names, async (name) => {
      await sure(admin, { method: "POST", target: serviceNamed(), body: serviceBody(name) });
      await createSlice(admin, name, 100);
    });
    const client = overLine();
    const startMs = performance.now();
    const services = new Reflector({
      client,
      ports: own,
      resource: SERVICES,
      project: projectService,
      onChanges: () => {},
    });
    services.start();
    seen = await watched(client, own);
    await expect.poll(() => services.synced, { timeout: 20_000 }).toBe(true);
    const tookMs = Math.round(performance.now() - startMs);
    services.stop();
    expect(seen.names()).toEqual(expect.arrayContaining(names));
    expect(services.values.size).toBeGreaterThanOrEqual(names.length);
    process.stderr.write(`first sync of ${names.length} Services x 100 endpoints: ${tookMs} ms\n`);
    tell({
      promise: "1000 Services of 100 endpoints are read in 10 s",
      seen: `${names.length} Services in ${tookMs} ms`,
      kept: tookMs <= 10_000,
    });
    await each(names, (name) => deleteSlice(admin, name));
  });
});

describe("an API server that crashes", () => {
  it("costs nothing: no withdrawal, and what changed meanwhile is told", async () => {
    const names = await slices(20);
    seen = await watched(clientOf(eu, own), own, { settings: PATIENT });
    seen.diary.length = 0;
    await eu.killApiServer();
    await expect.poll(() => seen?.reflector.problem?.code).toBe("HSA7001");
    expect(seen.names()).toEqual(expect.arrayContaining(names));
    await eu.startApiServer();
    await changeSlice(admin, names[0]!, 3, 9);
    await deleteSlice(admin, names[1]!);
    await hasNot(names[1]!);
    expect(seen.diary).toEqual([`set default/${names[0]}`, `removed default/${names[1]}`]);
    expect(seen.reflector.problem).toBeUndefined();
    // It resumed: nothing was listed again.
    expect(own.counted("hansa_kube_relists_total")).toBe(0);
  });

  it("and has forgotten our version is listed anew, and what was deleted meanwhile is told", async () => {
    const names = await slices(20);
    seen = await watched(overLine(), own, { settings: PATIENT });
    seen.diary.length = 0;
    line.set({ kind: "cut" });
    await deleteSlice(admin, names[2]!);
    await changeSlice(admin, names[3]!, 3, 9);
    await compact(eu);
    await eu.restartApiServer();
    line.set({ kind: "none" });
    await hasNot(names[2]!);
    expect([...seen.diary].sort()).toEqual([`removed default/${names[2]}`, `set default/${names[3]}`]);
    expect(own.counted("hansa_kube_relists_total", { reason: "gone" })).toBe(1);
  });
});

describe("an API server that was set back to a backup", () => {
  it("is found out by our version, and what most lists lack is withdrawn only after a second one", async () => {
    const names = await slices(10);
    await createSlice(admin, "again", 3);
    await kube.backUp("eu", "before");
    const known = (await namesNow()).length;
    const late = await slices(known + 5);
    // More than an API server writes at its start: it must not overtake our version.
    for (let turn = 1; turn <= 300; turn += 1) await changeSlice(admin, late[0]!, 3, turn);
    await deleteSlice(admin, names[0]!);
    seen = await watched(clientOf(eu, own), own, { settings: { ...PATIENT, confirmAfterMs: 1500 } });
    seen.diary.length = 0;
    await kube.restore("eu", "before");
    await expect.poll(() => own.counted("hansa_kube_doubted_lists_total"), { timeout: 10_000 }).toBe(1);
    expect(own.counted("hansa_kube_relists_total", { reason: "restored" })).toBe(1);
    expect(seen.diary).toEqual([`set default/${names[0]}`]);
    await hasNot(late[0]!);
    expect(removals(seen.diary)).toHaveLength(late.length);
    expect(own.logged.join("\n")).toContain("HSA7010");
    await createSlice(admin, "after-restore", 3);
    await has("after-restore");
  });

  it("and has used our version again since is found out by its absence", async () => {
    const [name = ""] = await slices(1);
    await createSlice(admin, "late", 3);
    seen = await watched(overLine(), own);
    seen.diary.length = 0;
    line.set({ kind: "cut" });
    await kube.restore("eu", "before");
    for (let turn = 1; turn <= 100; turn += 1) await changeSlice(admin, "again", 3, turn);
    line.set({ kind: "none" });
    await hasNot("late");
    expect(removals(seen.diary)).toEqual(
      expect.arrayContaining(["removed default/late", `removed default/${name}`]),
    );
    expect(own.counted("hansa_kube_relists_total", { reason: "outage" })).toBe(1);
  });
});

describe("a slow API server", () => {
  it("is waited for: nothing fails, nothing is withdrawn, changes arrive", async () => {
    const names = await slices(20);
    line.set({ kind: "delay", delayMs: 200 });
    seen = await watched(overLine(), own, { settings: { pageObjects: 20 } });
    expect(seen.names()).toEqual(expect.arrayContaining(names));
    await changeSlice(admin, names[0]!, 3, 3);
    await expect.poll(() => seen?.diary.at(-1), { timeout: 5000 }).toBe(`set default/${names[0]}`);
    expect(own.counted("hansa_kube_watch_problems_total")).toBe(0);
    expect(removals(seen.diary)).toEqual([]);
  });

  it("whose line is cut every second loses nothing", async () => {
    const names = await slices(10);
    seen = await watched(overLine(), own);
    for (let turn = 1; turn <= 4; turn += 1) {
      line.set({ kind: "cut" });
      await changeSlice(admin, names[turn]!, 3, turn);
      line.set({ kind: "none" });
      await expect.poll(() => seen?.diary.at(-1), { timeout: 5000 }).toBe(`set default/${names[turn]}`);
    }
    expect(removals(seen.diary)).toEqual([]);
  });
});

describe("a missing right", () => {
  it("is said with its code, resource and place, and nothing is synced; once granted all is well", async () => {
    const token = (await eu.kubectl.ok(["create", "token", "default"])).trim();
    const reflector = new Reflector({
      client: clientOf(eu, own, { token }),
      ports: own,
      resource: SERVICES,
      project: projectService,
      onChanges: () => {},
    });
    reflector.start();
    await expect.poll(() => reflector.problem?.code).toBe("HSA7003");
    expect(reflector.problem?.message).toMatch(
      /^listing services: services is forbidden: User "system:serviceaccount:default:default" cannot list resource "services"/,
    );
    expect([reflector.synced, reflector.values.size]).toEqual([false, 0]);
    await eu.kubectl.ok(["create", "clusterrole", "reads", "--verb=list,watch", "--resource=services"]);
    const binding = [
      "clusterrolebinding",
      "reads",
      "--clusterrole=reads",
      "--serviceaccount=default:default",
    ];
    await eu.kubectl.ok(["create", ...binding]);
    await expect.poll(() => reflector.synced, { timeout: 15_000 }).toBe(true);
    expect(reflector.problem).toBeUndefined();
    reflector.stop();
  });
});

async function namesNow(): Promise<string[]> {
  const once = await watched(clientOf(eu, own), own);
  once.stop();
  return once.names();
}

/** Throws away what etcd remembers of the past. */
async function compact({ etcd }: KubeCluster): Promise<void> {
  const post = async (path: string, body: object): Promise<{ header?: { revision?: string } }> => {
    const answer = await fetch(`${etcd.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { header?: { revision?: string } };
  };
  const { header } = await post("/v3/kv/range", { key: Buffer.from("/").toString("base64") });
  await post("/v3/kv/compaction", { revision: header?.revision, physical: true });
}
