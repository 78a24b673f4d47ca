/** `hansa cluster join --context` and `leave`, on clusters whose pods run the agent and Envoy of the manifests. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { JoinRig } from "./support/join-rig.ts";

let rig: JoinRig;
beforeAll(async () => {
  rig = await JoinRig.start(["eu", "us"]);
}, 120_000);
afterAll(() => rig.stop());

const kubectl = (cluster: string, ...args: string[]) => rig.kube.cluster(cluster).kubectl.ok(args);
const podOf = (cluster: string) =>
  kubectl(cluster, "-n", "hansa-system", "get", "pod", "hansa-agent-0", "-o", "jsonpath={.metadata.uid}");
const namespaces = (cluster: string) => kubectl(cluster, "get", "namespaces", "-o", "name");

describe("what cannot work is refused before anything is changed", () => {
  it.each<readonly [string, readonly string[], string, number]>([
    ["no token", ["--context", "eu"], "HSA1001", 64],
    ["a torn token", ["--context", "eu", "--token", "hansa1.abc"], "HSA3003", 77],
  ])("%s", async (_what, flags, code, exit) => {
    const { status, stderr, stdout } = await rig.hansa("cluster", "join", ...flags);
    expect([status, stdout]).toEqual([exit, ""]);
    expect(stderr).toContain(code);
  });

  it("a cluster without storage, by all that is missing", async () => {
    const token = await rig.token("eu");
    const { status, stderr } = await rig.hansa("cluster", "join", ...rig.flags("eu"), "--token", token);
    expect(stderr).toMatch(/HSA7040.*no default storage class.*--ephemeral/);
    expect(status).toBe(79);
    expect(await namespaces("eu")).not.toContain("hansa-system");
  });

  it("a context of no name, and one with no agent to ask", async () => {
    const unknown = await rig.hansa("get", "clusters", "--context", "tokyo");
    expect([unknown.status, unknown.stderr]).toEqual([65, expect.stringMatching(/HSA7004.*it has eu, us/)]);
    const empty = await rig.hansa("get", "clusters", "--context", "us");
    expect([empty.status, empty.stderr]).toEqual([65, expect.stringContaining("HSA7041")]);
  });
});

describe("join", () => {
  it("--dry-run prints what the API server takes, and no token", async () => {
    const token = await rig.token("eu");
    const { status, stdout, stderr } = await rig.hansa(
      ...["cluster", "join", ...rig.flags("eu"), "--token", token, "--ephemeral", "--dry-run"],
    );
    expect(status, stderr).toBe(0);
    expect(stdout).not.toContain(token);
    const kinds = parseAllDocuments(stdout).map((one) => (one.toJS() as { kind: string }).kind);
    expect(kinds).toContain("StatefulSet");
    const eu = rig.kube.cluster("eu");
    await eu.kubectl.ok(["create", "namespace", "hansa-system"]);
    await eu.kubectl.ok(["apply", "--server-side", "--dry-run=server", "-f", "-"], { stdin: stdout });
    await eu.kubectl.ok(["delete", "namespace", "hansa-system"]);
  });

  it("installs, joins, and says what it did", async () => {
    const token = await rig.token("eu");
    const { status, stdout, stderr } = await rig.hansa(
      ...["cluster", "join", ...rig.flags("eu"), "--token", token, "--ephemeral", "--timeout", "50s"],
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^eu has joined; its gateway is 10\.112\.\d+\.\d+:15443\nit is the first member/);
    expect(stdout.trim()).toMatch(/hansa check --context eu$/);
    expect(stderr).toContain("created  StatefulSet/hansa-agent");
    expect(await kubectl("eu", "-n", "hansa-system", "get", "secrets", "-o", "name")).not.toContain(
      "hansa-join",
    );
  });

  it("again changes nothing, and needs neither token nor flags", async () => {
    const pod = await podOf("eu");
    const { status, json } = asJson(
      await rig.hansa("cluster", "join", "--context", "eu", "--ephemeral", "-o", "json"),
    );
    expect(status).toBe(0);
    expect(json.applied.filter(({ outcome }: Outcome) => outcome !== "unchanged")).toEqual([]);
    expect(await podOf("eu")).toBe(pod);
  });

  it("of a second cluster is verified by a round trip, both ways", async () => {
    const token = await rig.token("us");
    const { status, json, stderr } = asJson(
      await rig.hansa(
        ...["cluster", "join", ...rig.flags("us"), "--token", token, "--ephemeral"],
        ...["--timeout", "50s", "-o", "json"],
      ),
    );
    expect(status, stderr).toBe(0);
    expect(json.roundTrips).toMatchObject([{ peer: "eu", there: true, back: true, missing: "" }]);
  });

  it("under another name is refused", async () => {
    const token = await rig.token("us", "tokyo");
    const { status, stderr } = await rig.hansa("cluster", "join", ...rig.flags("us"), "--token", token);
    expect([status, stderr]).toEqual([65, expect.stringMatching(/HSA7042.*is us in the federation/)]);
  });
});

interface Outcome {
  readonly outcome: string;
}
const asJson = (ran: {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}) => ({
  ...ran,
  json: ran.stdout === "" ? undefined : JSON.parse(ran.stdout),
});

describe("a context of Kubernetes", () => {
  it("answers get, describe and explain from the agent in its pod", async () => {
    const got = asJson(await rig.hansa("get", "clusters", "--context", "eu", "-o", "json"));
    expect(got.status, got.stderr).toBe(0);
    expect(got.json.items.map(({ cluster }: { cluster: string }) => cluster).sort()).toEqual(["eu", "us"]);
    expect(got.stderr).toBe("");
    const explained = await rig.hansa(
      ...[
        "explain",
        "access",
        "spiffe://eu.lab.hansa/ns/a/sa/b",
        "shop/pay",
        "--context",
        "eu",
        "-o",
        "json",
      ],
    );
    expect(JSON.parse(explained.stdout), explained.stderr).toMatchObject({ apiVersion: "hansa/v1" });
    const checked = asJson(await rig.hansa("check", "--context", "eu", "-o", "json"));
    expect(checked.json?.success, checked.stdout).toBe(true);
    const past = await rig.hansa("get", "clusters", "--context", "eu", "--at", "5m");
    expect([past.status, past.stderr]).toEqual([69, expect.stringContaining("HSA1012")]);
  });
});

describe("check --context", () => {
  it("names a right that the agent lacks", async () => {
    const eu = rig.kube.cluster("eu");
    const role = ["clusterrole", "hansa-agent"];
    const before = await eu.kubectl.ok(["get", ...role, "-o", "json"]);
    const rules = (JSON.parse(before) as { rules: { resources: string[] }[] }).rules;
    const index = rules.findIndex(({ resources }) => resources.includes("nodes"));
    const patch = JSON.stringify([{ op: "remove", path: `/rules/${index}` }]);
    await eu.kubectl.ok(["patch", ...role, "--type=json", "-p", patch]);
    const { status, stdout } = await rig.hansa("check", "--context", "eu", "--category", "rights");
    expect(status).toBe(79);
    expect(stdout).toMatch(/HSA7003.*list nodes; watch nodes/s);
    await rig.hansa("cluster", "join", "--context", "eu", "--ephemeral");
    expect((await rig.hansa("check", "--context", "eu")).status).toBe(0);
  });
});

describe("leave", () => {
  it("drains, ends the membership, and removes what was installed", async () => {
    const { status, stdout, stderr } = await rig.hansa(
      "cluster",
      "leave",
      "--context",
      "us",
      "--timeout",
      "40s",
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain("us has left, and its agent is gone from us");
    const left = await kubectl(
      "us",
      "-n",
      "hansa-system",
      "get",
      "statefulsets,configmaps,services",
      "-o",
      "name",
    );
    expect(left).not.toContain("hansa-");
    const got = asJson(await rig.hansa("get", "clusters", "--context", "eu", "-o", "json"));
    expect(got.json.items.find(({ cluster }: { cluster: string }) => cluster === "us").state).toBe("left");
    const again = await rig.hansa("cluster", "leave", "--context", "us");
    expect([again.status, again.stderr]).toEqual([65, expect.stringContaining("HSA7041")]);
  });
});
