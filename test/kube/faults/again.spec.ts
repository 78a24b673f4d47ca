/** A cluster that was deleted and made anew under its name: a new API server, and an agent with keys of its own or with the old ones. */
import { renameSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import { kinds } from "../../../deploy/tools/kube/kinds.ts";
import { until } from "../../contract/agent-rig.ts";
import { McsRig, namespace, podCidr, service, serviceExport, slice } from "../mcs-rig.ts";
import { endpointsOf, statusOf } from "./sight.ts";

const WAIT = { timeout: 30_000, interval: 100 };
const NAMESPACES = ["shop", "late"];
let rig: McsRig;
/** The cluster that is us from its second life on, and from its third. */
let second: KubeCluster;
let third: KubeCluster;

const exported = (name: string, address: string) => [
  service(name),
  slice(name, [address]),
  serviceExport(name),
];
const give = (cluster: KubeCluster, ...objects: readonly object[]) =>
  cluster.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
const seen = () => endpointsOf(rig, "eu", "us");

/** What the earlier us has written is without effect, as it should be (HSA3010). */
const wrong = async (name: "eu" | "us") =>
  (await statusOf(rig, name)).findings.filter(({ code }) => code !== "HSA3010");

/** As a user would who starts us's agent elsewhere; a member needs no token. */
function configure(context: string, joinToken?: string): void {
  const cidrs = [`127.${rig.agents.octet}.2.0/24`, podCidr("us")];
  const source = { kubernetes: { ...rig.source("us"), context } };
  rig.agents.configure("us", "", { cidrs, namespaces: NAMESPACES, source, joinToken });
}
const newToken = () =>
  rig.agents.joinToken("us", {
    cidrs: [`127.${rig.agents.octet}.2.0/24`, podCidr("us")],
    namespaces: NAMESPACES,
  });

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"], {}, { clusters: ["eu", "us", "second", "third"] });
  second = rig.kube.cluster("second");
  third = rig.kube.cluster("third");
  await rig.apply("eu", namespace("shop"), ...exported("both", "10.241.0.1"));
  await rig.apply(
    "us",
    namespace("shop"),
    ...exported("both", "10.242.1.1"),
    ...exported("old", "10.242.1.2"),
  );
  for (const cluster of [second, third]) {
    await cluster.apply(kinds());
    await give(cluster, namespace("shop"));
  }
  await give(second, ...exported("both", "10.242.2.1"), ...exported("new", "10.242.2.2"));
  await give(third, ...exported("both", "10.242.3.1"), ...exported("newest", "10.242.3.2"));
  await rig.import("eu", "old");
  await rig.import("eu", "both", ({ status }) => status?.clusters?.length === 2);
}, 180_000);
afterAll(() => rig?.stop());

describe("a cluster that is made anew without its keys", () => {
  it("is refused under its name, and told what operators have to order", async () => {
    await rig.agents.end("us");
    await rig.kube.cluster("us").killApiServer();
    renameSync(rig.agents.dataDir("us"), `${rig.agents.dataDir("us")}-old`);
    configure("second", await newToken());
    await expect(rig.agents.agent("us")).rejects.toThrow(/HSA3004 .*operators order "rekey us \S+"/);
    // The old one's facts stand: nobody has said that it is gone.
    expect(await seen()).toEqual(["shop/both 10.242.1.1", "shop/old 10.242.1.2"]);
  });

  it("is us from then on: its facts alone are there, and none of the old one's", async () => {
    const [, signingKey = ""] = /"rekey us (\S+)"/.exec(rig.agents.log("us")) ?? [];
    const order = { do: "rekey", cluster: "us", incarnation: 1, signingKey } as const;
    await rig.agents.hub.post("/v1/commands", rig.agents.hub.command(order));
    await until("the hub knows the key", async () => {
      const rows = await rig.agents.hub.store.db.query<{ signing_key: string }>(
        "select signing_key from member where cluster = 'us'",
      );
      return rows[0]?.signing_key === signingKey;
    });
    await rig.agents.agent("us");
    await expect.poll(seen, WAIT).toEqual(["shop/both 10.242.2.1", "shop/new 10.242.2.2"]);
    await rig.import("eu", "new");
    await rig.noImport("eu", "old");
    await until("second imports eu's", async () => (await importIn(second, "both")) !== "");
    expect(await wrong("us")).toEqual([]);
  });

  it("is believed at once when it changes", async () => {
    await give(second, slice("both", ["10.242.2.9"]));
    await expect.poll(seen, WAIT).toEqual(["shop/both 10.242.2.9", "shop/new 10.242.2.2"]);
    expect(await wrong("eu")).toEqual([]);
  });

  it("stays us when the old one comes back, which says what is wrong and changes nothing", async () => {
    await rig.agents.end("us");
    const [present, old] = [rig.agents.dataDir("us"), `${rig.agents.dataDir("us")}-old`];
    renameSync(present, `${present}-second`);
    renameSync(old, present);
    await rig.kube.cluster("us").startApiServer();
    configure("us");
    // It serves its own cluster from its disk, as while NATS is away.
    await rig.agents.agent("us");
    await expect
      .poll(async () => (await statusOf(rig, "us")).bus, WAIT)
      .toEqual({
        up: false,
        refusal: expect.stringMatching(/refuses .*another agent has joined under its name/),
      });
    expect(rig.agents.log("us")).toMatch(/bus: refused.*HSA2010|HSA2010.*bus: refused/);
    expect(await seen()).toEqual(["shop/both 10.242.2.9", "shop/new 10.242.2.2"]);
    await rig.agents.end("us");
    renameSync(present, old);
    renameSync(`${present}-second`, present);
  });
});

describe("a cluster that is made anew with the keys of before", () => {
  it("needs nobody's leave: what it has no more goes, what is new comes", async () => {
    configure("third");
    await rig.agents.agent("us");
    await expect.poll(seen, WAIT).toEqual(["shop/both 10.242.3.1", "shop/newest 10.242.3.2"]);
    await rig.import("eu", "newest");
    await rig.noImport("eu", "new");
    expect(await wrong("eu")).toEqual([]);
  });
});

const importIn = async ({ kubectl }: KubeCluster, name: string): Promise<string> =>
  (await kubectl.run(["-n", "shop", "get", "serviceimport", name, "-o", "name"])).stdout;
