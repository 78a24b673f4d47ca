/** An agent with the rights of the chart's roles and no others: it uses every one of them, by the API server's own audit log, and lacks none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT_RIGHTS } from "@hansa/kube";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { freePort } from "../../../deploy/tools/child.ts";
import { writeKubeconfig } from "../../../deploy/tools/kube/kubeconfig.ts";
import { root } from "../../../deploy/tools/paths.mjs";
import { McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { statusOf } from "./sight.ts";

const USER = "system:serviceaccount:hansa-system:hansa-agent";
const WAIT = { timeout: 60_000, interval: 200 };
const dir = mkdtempSync(join(tmpdir(), "hansa-rights-"));
const auditLog = join(dir, "audit.log");
let rig: McsRig;

interface Audited {
  readonly stage: string;
  readonly verb: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
  };
  readonly responseStatus?: { readonly code: number; readonly message?: string };
}

const audited = (): Audited[] =>
  readFileSync(auditLog, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Audited);

const textOf = (verb: string, resource: string, group = ""): string =>
  `${verb} ${resource}${group === "" ? "" : `.${group}`}`;

/** Rights that let a request pass. Server-side apply that makes the object is a patch, and needs both. */
const used = (): string[] => {
  const rights = audited().flatMap(({ verb, objectRef, responseStatus }) => {
    const code = responseStatus?.code ?? 0;
    if (objectRef === undefined || code === 401 || code === 403) return [];
    const { resource, subresource, apiGroup } = objectRef;
    const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
    return [verb, ...(verb === "patch" && code === 201 ? ["create"] : [])].map((each) =>
      textOf(each, whole, apiGroup),
    );
  });
  return [...new Set(rights)].sort();
};
const refused = (): string[] =>
  audited().flatMap(({ responseStatus }) =>
    responseStatus?.code === 403 ? [responseStatus.message ?? ""] : [],
  );

/** The chart's service account and roles, as they are installed. */
function account(): string {
  const kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
  const text = readFileSync(join(root, "deploy/kube/agent.yaml"), "utf8");
  return parseAllDocuments(text)
    .map((one) => one.toJS() as { readonly kind: string })
    .filter(({ kind }) => kinds.includes(kind))
    .map((object) => JSON.stringify(object))
    .join("\n---\n");
}

async function auditOf(user: string): Promise<string[]> {
  const policy = join(dir, "policy.json");
  const rules = [{ level: "Metadata", users: [user], omitStages: ["RequestReceived"] }, { level: "None" }];
  writeFileSync(policy, JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules }));
  writeFileSync(auditLog, "");
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog}`];
}

/** eu's agent under the chart's account, with all that it can be configured to do. */
async function underAccount(doorPort: number): Promise<void> {
  const eu = rig.kube.cluster("eu");
  await rig.apply("eu", namespace("hansa-system"));
  await eu.apply(account());
  const token = (await eu.kubectl.ok(["-n", "hansa-system", "create", "token", "hansa-agent"])).trim();
  const kubeconfig = join(dir, "kubeconfig");
  writeKubeconfig(kubeconfig, [{ name: "eu", url: eu.url, caPem: eu.caPem, token }]);
  const host = rig.agents.address("eu", 2);
  const kubernetes = {
    ...rig.source("eu"),
    kubeconfig,
    leaseNamespace: "hansa-system",
    gatewayMode: { entryAddress: "10.241.0.250" },
    sidecars: {
      host,
      listen: { host, port: doorPort },
      webhook: { host, port: await freePort(host), advertised: host },
      proxyImage: "envoy",
      rulesImage: "hansa",
    },
  };
  rig.agents.configure("eu", "", {
    cidrs: [`127.${rig.agents.octet}.1.0/24`, "10.241.0.0/16"],
    source: { kubernetes },
    joinToken: undefined,
  });
  await rig.agents.restart("eu", "stop");
}

/** A proxy's first stream, with a token that names no pod: the headers with which it ends. */
async function showToken(url: string, token: string): Promise<IncomingHttpHeaders> {
  const session = connect(url, { rejectUnauthorized: false });
  const stream = session.request({
    ":method": "POST",
    ":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    "content-type": "application/grpc",
    authorization: `Bearer ${token}`,
  });
  try {
    return await new Promise((resolve, reject) => {
      stream.once("response", resolve).once("error", reject);
    });
  } finally {
    session.destroy();
  }
}

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"], {}, { apiServerFlags: await auditOf(USER) });
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
}, 120_000);
afterAll(async () => {
  await rig?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const policy = (kind: string, name: string, spec: object) => ({
  apiVersion: "hansa.dev/v1alpha1",
  kind,
  metadata: { name, ...(kind === "MeshGateway" ? {} : { namespace: "shop" }) },
  spec,
});

describe("an agent with the chart's roles", () => {
  it("works, uses every right of the table, and is refused nothing", async () => {
    const doorPort = await freePort(rig.agents.address("eu", 2));
    await underAccount(doorPort);
    const from = [{ cluster: "us", namespace: "shop", serviceAccount: "web" }];
    await rig.apply(
      "eu",
      namespace("injected", { "hansa.dev/inject": "enabled" }),
      service("pay"),
      slice("pay", ["10.241.0.1"]),
      serviceExport("pay"),
      policy("AllowPolicy", "allow", { service: "pay", from }),
      policy("FailoverPolicy", "pay", { tiers: [["us"]] }),
      policy("MeshGateway", "east", { addresses: ["10.241.0.99"], port: 15_443 }),
    );
    await rig.apply("us", service("theirs"), slice("theirs", ["10.242.0.1"]), serviceExport("theirs"));
    await rig.condition("eu", "pay", "Ready=True/Exported");
    await rig.apply("eu", serviceExport("of-nothing"));
    for (const [kind, name] of [
      ["allowpolicy", "allow"],
      ["failoverpolicy", "pay"],
      ["meshgateway", "east"],
    ])
      await rig.condition("eu", name ?? "", "Accepted=True/Accepted", kind);
    await rig.import("eu", "theirs", ({ status }) => (status?.conditions ?? []).length > 0);
    const strange = await showToken(`https://${rig.agents.address("eu", 2)}:${doorPort}`, "of.no.pod");
    expect(strange["grpc-status"]).toBe("16");
    await rig.delete("us", "serviceexport", "theirs");
    await rig.noImport("eu", "theirs");
    await rig.delete("eu", "serviceexport", "pay");
    await rig.noImport("us", "pay");
    const table = AGENT_RIGHTS.map(({ verb, resource, group }) => textOf(verb, resource, group)).sort();
    await expect.poll(used, WAIT).toEqual(table);
    expect(refused()).toEqual([]);
    expect((await statusOf(rig, "eu")).source.problems).toEqual([]);
  }, 180_000);

  it("that lose one write what was refused meanwhile once it is granted", async () => {
    const { kubectl } = rig.kube.cluster("eu");
    const role = JSON.parse(await kubectl.ok(["get", "clusterrole", "hansa-agent", "-o", "json"]));
    const index = role.rules.findIndex(({ resources }: { resources: string[] }) =>
      resources.includes("serviceimports"),
    );
    const verbs = `/rules/${index}/verbs`;
    const replace = (value: readonly string[]) =>
      kubectl.ok([
        ...["patch", "clusterrole", "hansa-agent", "--type=json", "-p"],
        JSON.stringify([{ op: "replace", path: verbs, value }]),
      ]);
    await replace(["list", "watch"]);
    await rig.apply("us", service("late"), serviceExport("late"));
    await expect
      .poll(() => rig.agents.log("eu"), WAIT)
      .toMatch(/a write was refused.*HSA7003|HSA7003.*a write was refused/);
    await replace(role.rules[index].verbs);
    await expect.poll(() => rig.get("eu", "serviceimport", "late"), WAIT).toBeDefined();
  }, 120_000);
});
