/** `hansa cluster join --context` and `leave`, on clusters whose pods run the agent and Envoy of the manifests. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { helmSdk } from "../../deploy/tools/helm/helm.ts";
import { root } from "../../deploy/tools/paths.mjs";
import { blocksOf, Guide } from "./support/guide.ts";
import type { Ran } from "./support/hansa.ts";
import { JoinRig } from "./support/join-rig.ts";

let rig: JoinRig;
let guide: Guide;
const blocks = blocksOf("docs/kubernetes.md");
beforeAll(async () => {
  rig = await JoinRig.start(["eu", "us"]);
  guide = new Guide(rig, tools(), {
    EU_CIDR: rig.kube.cluster("eu").options.plan.loadBalancerCidr,
    US_CIDR: rig.kube.cluster("us").options.plan.loadBalancerCidr,
  });
}, 120_000);
afterAll(() => rig.stop());

const kubectl = (cluster: string, ...args: string[]) => rig.kube.cluster(cluster).kubectl.ok(args);
const podOf = (cluster: string) =>
  kubectl(cluster, "-n", "hansa-system", "get", "pod", "hansa-agent-0", "-o", "jsonpath={.metadata.uid}");
const corefile = (cluster: string) =>
  kubectl(cluster, "-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data.Corefile}");
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

/** The page's next block under a heading. */
async function followed(heading: string): Promise<Ran> {
  const index = blocks.findIndex((block) => block.heading === heading);
  const [block] = blocks.splice(index, 1);
  const ran = await guide.run(block?.script ?? `echo no more blocks under ${heading}; exit 1`);
  expect(ran.status, ran.stderr).toBe(0);
  return ran;
}

describe("the page's other ways", () => {
  it("Helm installs the charts, and says at the end how to check", async () => {
    const { stdout } = await followed("With Helm instead");
    expect(stdout.trim()).toMatch(/hansa check --context \S+/);
  });

  it("kustomize builds the base", async () => {
    await followed("With Helm instead");
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

  it("as the page says: installs, joins, and says what it did", async () => {
    await followed("Kubernetes");
    const { stdout, stderr } = await followed("Join");
    expect(stdout).toMatch(/^eu has joined; its gateway is 10\.112\.\d+\.\d+:15443\nit is the first member/);
    expect(stdout.trim()).toMatch(/hansa check --context eu$/);
    expect(stderr).toContain("created  StatefulSet/hansa-agent");
    expect(stderr).toContain("changed  ConfigMap kube-system/coredns");
    expect(await corefile("eu")).toMatch(/^clusterset\.local:53 {\n(.*\n)* +forward \. 10\.96\.\d+\.\d+\n}/m);
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

  it("of a second cluster, as the page says, is verified by a round trip both ways", async () => {
    const { stdout } = await followed("Join");
    expect(stdout).toMatch(/^us has joined/);
    expect(stdout).toMatch(/^eu +yes +yes +\S+/m);
  });

  it("is what the page then looks at", async () => {
    const { stdout } = await followed("Look");
    expect(stdout).toMatch(/^eu .*\n(.*\n)*us /m);
  });

  it("leaves the agent with every right that it asked for, by the chart's roles alone", async () => {
    const log = await kubectl("eu", "-n", "hansa-system", "logs", "hansa-agent-0", "-c", "agent");
    expect(log).toContain("kube: elected");
    expect(log).not.toMatch(/HSA7003|forbidden/);
  });

  it("lets a Service be exported, as the page says", async () => {
    const { stdout } = await followed("Export");
    expect(stdout).toContain("serviceexport.multicluster.x-k8s.io/pay condition met");
  });

  it("under another name is refused", async () => {
    const token = await rig.token("us", "tokyo");
    const { status, stderr } = await rig.hansa("cluster", "join", ...rig.flags("us"), "--token", token);
    expect([status, stderr]).toEqual([65, expect.stringMatching(/HSA7042.*is us in the federation/)]);
  });
});

/**
 * `hansa` is this checkout's. The lab has no storage, and its pods reach hub and NATS at their own node's address: that is added to
 * each join. `helm` is Helm's SDK.
 */
function tools(): Record<string, string> {
  const hansa = `exec ${process.execPath} --disable-warning=ExperimentalWarning ${join(root, "services/cli/src/main.ts")}`;
  const reach = (cluster: string): string => {
    const { nodeIp } = rig.kube.cluster(cluster).options.plan;
    return `--ephemeral --hub https://${nodeIp}:8443 --nats nats://${nodeIp}:4222`;
  };
  return {
    hansa: `case "$*" in
  "cluster join --context eu"*) ${hansa} "$@" ${reach("eu")} ;;
  "cluster join --context us"*) ${hansa} "$@" ${reach("us")} ;;
  *) ${hansa} "$@" ;;
esac`,
    kubectl: `exec ${rig.kube.cluster("eu").options.binaries.kubectl} "$@"`,
    helm: `PYTHONPATH=${helmSdk()} exec python3 ${join(root, "deploy/tools/helm/install.py")} "$@"`,
  };
}

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
    const index = rules.findIndex(({ resources }) => resources.includes("tokenreviews"));
    const patch = JSON.stringify([{ op: "remove", path: `/rules/${index}` }]);
    await eu.kubectl.ok(["patch", ...role, "--type=json", "-p", patch]);
    const { status, stdout } = await rig.hansa("check", "--context", "eu", "--category", "rights");
    expect(status).toBe(79);
    expect(stdout).toMatch(/HSA7003.*create tokenreviews/s);
    await rig.hansa("cluster", "join", "--context", "eu", "--ephemeral");
    expect((await rig.hansa("check", "--context", "eu")).status).toBe(0);
  });
});

describe("leave", () => {
  it("drains, ends the membership, and removes what was installed", async () => {
    await kubectl("us", "create", "namespace", "opted-in");
    await kubectl("us", "label", "namespace", "opted-in", "hansa.dev/inject=enabled");
    await kubectl("us", "-n", "opted-in", "wait", "--for=create", "configmap/hansa-roots", "--timeout=30s");
    const { stdout } = await followed("Leave");
    expect(stdout).toContain("us has left, and its agent is gone from us");
    expect(await corefile("us")).not.toContain("clusterset.local");
    const left = await kubectl(
      "us",
      "get",
      "-A",
      "statefulsets,configmaps,services,mutatingwebhookconfigurations,validatingwebhookconfigurations",
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

it("the page has no command that was not run", () => {
  expect(blocks).toEqual([]);
});
