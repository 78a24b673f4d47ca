/** Writes, rights and election against a real API server. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Election } from "@hansa/agent";
import {
  AGENT_RULES,
  Applier,
  codeOf,
  ENDPOINT_SLICES,
  type KubeClient,
  LeaseElection,
  problemError,
  type Resource,
  type Rule,
  serviceExports,
  type Target,
  type Verb,
  type Write,
} from "@hansa/kube";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { type AgentAccount, agentAccount } from "./support/account.ts";
import { clientOf, ports } from "./support/client.ts";
import { sliceBody, sliceNamed, sure } from "./support/slices.ts";

let kube: Kube;
let eu: KubeCluster;
let admin: KubeClient;
let account: AgentAccount;
/** With the table's rights and no others, in the client and in the cluster. */
let agent: KubeClient;
let agentToken: string;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"] });
  eu = kube.cluster("eu");
  admin = clientOf(eu, ports(), { rights: undefined });
  account = await agentAccount(eu, admin);
  agentToken = await account.boundToken("agent-0");
  agent = clientOf(eu, ports(), { token: agentToken });
  await eu.apply(["serviceexports", "serviceimports"].map(crd).join("\n---\n"));
  const target = { resource: serviceExports("v1beta1") };
  await vi.waitFor(() => sure(admin, { method: "GET", target }), { timeout: 10_000 });
});
afterAll(() => kube.close());

const slice = (name: string, more: Partial<Extract<Write, { kind: "apply" }>> = {}): Write => ({
  kind: "apply",
  target: { resource: ENDPOINT_SLICES, namespace: "default", name },
  objectKind: "EndpointSlice",
  fieldManager: "hansa",
  force: false,
  labels: { "multicluster.kubernetes.io/source-cluster": "us" },
  fields: { addressType: "IPv4", endpoints: [{ addresses: ["10.1.2.3"] }], ports: [{ port: 80 }] },
  ...more,
});

describe("writes", () => {
  const applier = () => new Applier({ client: agent, ports: ports(), mayWrite: () => true });

  it("make the object, change it, and are nothing where they say the same", async () => {
    const writer = applier();
    const made = await writer.write(slice("made"));
    const same = await writer.write(slice("made"));
    expect(made).toMatchObject({ outcome: "applied" });
    expect(same).toEqual(made);
    const read = await sure(admin, { method: "GET", target: sliceNamed("made") });
    expect(read.metadata.managedFields).toMatchObject([{ manager: "hansa", operation: "Apply" }]);
    const changed = await writer.write(slice("made", { labels: {} }));
    expect(changed).not.toEqual(made);
  });

  it("meet another manager's field: a conflict that names field and owner, and nothing is changed", async () => {
    await eu.apply(JSON.stringify(sliceBody("taken", 1)));
    const conflict = await applier().write(slice("taken"));
    expect(conflict).toMatchObject({ outcome: "conflict", problem: { kind: "conflict", status: 409 } });
    if (conflict.outcome !== "conflict") return;
    expect(conflict.problem.causes).toContainEqual({
      reason: "FieldManagerConflict",
      field: ".endpoints",
      message: expect.stringContaining('conflict with "kubectl"'),
    });
    const forced = await applier().write(slice("taken", { force: true }));
    expect(forced).toMatchObject({ outcome: "applied" });
  });

  it("that are not valid are told so with the field", async () => {
    const invalid = await applier().write(
      slice("invalid", { fields: { addressType: "IPv4", endpoints: [{ addresses: ["x"] }] } }),
    );
    expect(invalid).toMatchObject({ outcome: "invalid", problem: { kind: "invalid", status: 422 } });
    if (invalid.outcome === "invalid")
      expect(problemError(invalid.problem, "write").toString()).toMatch(
        /^HSA7006 write: .*endpoints\[0\].addresses/,
      );
  });

  it("of a status go through its subresource, and are refused where there is no object", async () => {
    const target = { resource: serviceExports("v1beta1"), namespace: "default", name: "pay" };
    const status: Write = {
      kind: "apply",
      target: { ...target, subresource: "status" },
      objectKind: "ServiceExport",
      fieldManager: "hansa-status",
      force: true,
      fields: { status: { conditions: [{ type: "Valid", status: "True" }] } },
    };
    expect((await applier().write(status)).outcome).toBe("absent");
    await eu.apply(
      JSON.stringify({
        apiVersion: "multicluster.x-k8s.io/v1beta1",
        kind: "ServiceExport",
        metadata: { name: "pay", namespace: "default" },
      }),
    );
    expect((await applier().write(status)).outcome).toBe("applied");
    const read = await sure(admin, { method: "GET", target });
    expect(read.status).toEqual({ conditions: [{ type: "Valid", status: "True" }] });
  });

  it("delete the object that was meant, and no other of its name", async () => {
    const made = await applier().write(slice("short-lived"));
    const remove = (uid: string): Write => ({
      kind: "delete",
      target: { ...sliceNamed(), name: "short-lived" },
      uid,
    });
    expect(await applier().write(remove("another"))).toMatchObject({ outcome: "conflict" });
    if (made.outcome !== "applied") throw new Error(made.outcome);
    expect(await applier().write(remove(made.uid))).toEqual({ outcome: "deleted" });
    expect(await applier().write(remove(made.uid))).toEqual({ outcome: "deleted" });
  });

  it("wait for an API server that is away, and then go", async () => {
    await eu.killApiServer();
    const written = applier().write(slice("patient"));
    await eu.startApiServer();
    expect(await written).toMatchObject({ outcome: "applied" });
  });
});

describe("the table of rights", () => {
  const each = AGENT_RULES.flatMap((rule) => rule.verbs.map((verb) => [verb, rule] as const));
  afterAll(() => account.grant(AGENT_RULES));

  it.each(each.map(([verb, rule]) => [`${verb} ${rule.resource}`, verb, rule] as const))(
    "is needed for %s: with it the API server lets it pass, without it does not",
    async (_name, verb, rule) => {
      await account.grant(AGENT_RULES);
      await expect.poll(() => isForbidden(verb, rule), { timeout: 5000 }).toBe(false);
      const verbs = rule.verbs.filter((each) => each !== verb);
      await account.grant(AGENT_RULES.map((each) => (each === rule ? { ...rule, verbs } : each)));
      await expect.poll(() => isForbidden(verb, rule), { timeout: 5000 }).toBe(true);
    },
  );

  it("is enforced in the client too: a request outside it is a broken invariant", async () => {
    await expect(agent.send({ method: "DELETE", target: sliceNamed() })).resolves.toBeDefined();
    await expect(agent.send({ method: "PUT", target: sliceNamed("x") })).rejects.toThrow(
      "update endpointslices.discovery.k8s.io (for endpointslices.discovery.k8s.io default/x) is not in the table",
    );
  });
});

/** A watch that is not refused by then was let through. */
const WATCH_REFUSED_MS = 200;

/** Who may make objects of one name alone says the name: by server-side apply, which asks for the right to create too. */
const madeByApply = (target: Target) =>
  ({
    method: "PATCH",
    target,
    query: { fieldManager: "test", force: "true" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: target.name } },
  }) as const;

/** Asks for what cannot do anything: rights are judged before objects. */
async function isForbidden(verb: Verb, { group, resource, scope, names }: Rule): Promise<boolean> {
  const [plural = "", subresource] = resource.split("/");
  const version = group === "multicluster.x-k8s.io" ? "v1beta1" : "v1";
  const namespaced = !["nodes", "namespaces", "tokenreviews", "mutatingwebhookconfigurations"].includes(
    plural,
  );
  const kind: Resource = { group, version, plural, namespaced };
  const all: Target = {
    resource: kind,
    ...(namespaced && (scope === "own" || verb === "create") ? { namespace: "default" } : {}),
  };
  const one: Target = {
    ...all,
    ...(namespaced ? { namespace: "default" } : {}),
    name: names?.[0] ?? "none",
    ...(subresource === "status" ? { subresource } : {}),
  };
  if (verb === "watch")
    return await new Promise((resolve) => {
      const stop = agent.watch(
        all,
        { timeoutSeconds: "1" },
        {
          lines: () => resolve(false),
          ended: (problem) => resolve(problem?.kind === "forbidden"),
        },
      );
      setTimeout(() => {
        resolve(false);
        stop();
      }, WATCH_REFUSED_MS);
    });
  const request = {
    list: { method: "GET", target: all },
    get: { method: "GET", target: one },
    create: { method: "POST", target: all, body: {} },
    update: { method: "PUT", target: one, body: {} },
    patch: { method: "PATCH", target: one, body: {}, contentType: "application/merge-patch+json" },
    delete: { method: "DELETE", target: one },
  } as const;
  const answer = await agent.send(
    verb === "create" && names !== undefined ? madeByApply(one) : request[verb],
  );
  if (answer.ok) await admin.send({ method: "DELETE", target: one });
  return !answer.ok && codeOf(answer.problem) === "HSA7003";
}

describe("an election by Lease", () => {
  const processes: ChildProcess[] = [];
  afterEach(() => {
    for (const child of processes) child.kill("SIGKILL");
  });

  /** What a candidate says, as it says it. */
  function candidate(name: string): { readonly said: string[]; readonly child: ChildProcess } {
    const program = new URL("./support/candidate.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [program, kube.kubeconfig, name], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    processes.push(child);
    const said: string[] = [];
    child.stdout?.on("data", (data: Buffer) => said.push(...data.toString().trim().split("\n")));
    return { said, child };
  }

  it("is what the agent's file lock is", () => {
    const election: Election = new LeaseElection({
      client: agent,
      ports: ports(),
      namespace: "default",
      name: "typed",
      candidate: "x",
    });
    election.release();
    expect(election.tryLock()).toBe(false);
  });

  it("replaces a holder that is paused, which is not elected when it goes on", async () => {
    const one = candidate("one");
    await expect.poll(() => one.said, { timeout: 20_000 }).toEqual(["not elected", "elected"]);
    const two = candidate("two");
    await expect.poll(() => two.said, { timeout: 10_000 }).toEqual(["not elected"]);
    one.child.kill("SIGSTOP");
    await expect.poll(() => two.said, { timeout: 20_000 }).toEqual(["not elected", "elected"]);
    one.child.kill("SIGCONT");
    await expect.poll(() => one.said, { timeout: 5000 }).toEqual(["not elected", "elected", "not elected"]);
    // Four turns of both.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect([one.said.length, two.said.length]).toEqual([3, 2]);
    two.child.kill("SIGTERM");
    await once(two.child, "exit");
    await expect.poll(() => one.said.at(-1), { timeout: 10_000 }).toBe("elected");
  });
});

function crd(plural: string): string {
  const kind = plural === "serviceexports" ? "ServiceExport" : "ServiceImport";
  return JSON.stringify({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.multicluster.x-k8s.io`,
      annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements" },
    },
    spec: {
      group: "multicluster.x-k8s.io",
      scope: "Namespaced",
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [
        {
          name: "v1beta1",
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  });
}
