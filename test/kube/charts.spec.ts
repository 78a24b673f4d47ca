/** The charts: what they render is what the API server takes, and what is wrong in values is told before anything is applied. */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { AGENT_RULES, type Rule } from "@hansa/kube";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { base, chartParts, valuesOf } from "../../deploy/tools/generate.ts";
import { lint, manifests, render, type Values } from "../../deploy/tools/helm/helm.ts";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { root } from "../../deploy/tools/paths.mjs";
import { parseConfig } from "../../services/agent/src/config.ts";

const CHARTS = ["hansa-crds", "hansa-agent", "hansa-hub"];
const documented = CHARTS.flatMap((chart) =>
  globSync(`deploy/charts/${chart}/values/*.yaml`, { cwd: root })
    .sort()
    .map((file) => [chart, basename(file, ".yaml")] as const),
);

const GATEWAY = "hansa-gateway";
let kube: Kube;
let eu: KubeCluster;
beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"] });
  eu = kube.cluster("eu");
  await eu.kubectl.ok(["create", "namespace", "hansa-system"]);
  await eu.apply(JSON.stringify(PODMONITORS));
});
afterAll(() => kube.close());

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Record<string, unknown>;
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

const objects = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);
/** One start of Helm for each chart. */
const renderings = new Map(
  CHARTS.flatMap((chart) => {
    const names = documented.filter(([of]) => of === chart).map(([, name]) => name);
    const all = render(
      chart,
      names.map((name) => valuesOf(chart, name)),
    );
    return names.map((name, index) => [`${chart}/${name}`, all[index]] as const);
  }),
);
const rendering = (chart: string, name: string) => {
  const found = renderings.get(`${chart}/${name}`);
  if (found === undefined) throw new Error(`${chart}: no values/${name}.yaml`);
  return found;
};
const rendered = (chart: string, name: string): string => manifests(rendering(chart, name));
const keyOf = ({ kind, metadata: { name, namespace = "" } }: Manifest): string =>
  `${kind} ${namespace}/${name}`;

describe.each(documented)("%s with values/%s", (chart, name) => {
  const values = valuesOf(chart, name);

  it("is linted without a finding", () => {
    const [found] = lint(chart, [values]);
    const messages = found?.ok === true ? (found.lint as { messages: LintMessage[] }).messages : [];
    expect(found?.ok).toBe(true);
    // Severity 1 is advice: an icon.
    expect(messages.filter(({ severity }) => severity > 1)).toEqual([]);
  });

  it("is what the API server takes", async () => {
    const applied = await eu.kubectl.run(
      ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
      { stdin: rendered(chart, name) },
    );
    expect(applied.stderr).toBe("");
    expect(applied.stdout.trim().split("\n")).toHaveLength(objects(rendered(chart, name)).length);
  });

  it("runs as nobody, on a root that it cannot write, with no capability", () => {
    for (const { spec } of objects(rendered(chart, name)).filter(({ kind }) => WORKLOADS.includes(kind))) {
      const pod = (spec as { template: { spec: PodSpec } }).template.spec;
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext, resources } of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(resources === undefined || "limits" in resources).toBe(true);
      }
    }
  });

  it("ends its notes with the check", () => {
    const one = rendering(chart, name);
    const notes =
      one?.ok === true ? Object.entries(one.files).find(([path]) => path.endsWith("NOTES.txt")) : [];
    const last = notes?.[1]?.trim().split("\n").at(-1)?.trim();
    expect(last).toMatch(/^hansa check\b/);
  });
});

interface LintMessage {
  readonly severity: number;
}
interface PodSpec {
  readonly securityContext: object;
  readonly containers: readonly { readonly securityContext: object; readonly resources?: object }[];
  readonly initContainers?: PodSpec["containers"];
}
const WORKLOADS = ["StatefulSet", "Deployment"];

describe("values that are wrong", () => {
  const minimal = valuesOf("hansa-agent", "minimal");
  const wrong = (change: Values): Values => ({ ...minimal, ...change });
  const hub = valuesOf("hansa-hub", "external");

  it.each<readonly [string, Values, RegExp]>([
    ["hansa-agent", {}, /cluster/],
    ["hansa-agent", wrong({ cluster: "EU" }), /\/cluster'?:.*pattern/],
    ["hansa-agent", wrong({ cluster: "hub" }), /\/cluster/],
    ["hansa-agent", wrong({ cidrs: [] }), /\/cidrs'?:.*minItems/],
    ["hansa-agent", wrong({ hub: { url: "http://hub:8443" } }), /\/hub\/url'?:.*pattern/],
    ["hansa-agent", wrong({ nats: { servers: ["nats.example.com"] } }), /\/nats\/servers\/0/],
    ["hansa-agent", wrong({ image: { digest: "sha256:12" } }), /\/image\/digest/],
    ["hansa-agent", wrong({ gateway: { address: "LB" } }), /\/gateway\/address/],
    ["hansa-agent", wrong({ gateway: { addresses: ["lb"] } }), /\/gateway\/addresses\/0/],
    ["hansa-agent", wrong({ gateway: { placement: "here" } }), /\/gateway\/placement/],
    ["hansa-agent", wrong({ gateway: { replicas: { min: 0 } } }), /\/gateway\/replicas\/min/],
    ["hansa-agent", wrong({ gateway: { port: 443 } }), /\/gateway\/port.*1,?024/],
    ["hansa-agent", wrong({ podMonitor: { enabled: true } }), /\/podMonitor\/tokenSecret/],
    ["hansa-agent", wrong({ gatewy: {} }), /gatewy/],
    ["hansa-agent", wrong({ resources: { limits: { memory: "lots" } } }), /\/resources\/limits\/memory/],
    ["hansa-hub", {}, /\/api\/hosts/],
    ["hansa-hub", { ...hub, nats: { ...(hub.nats as object), replicas: 2 } }, /\/nats\/replicas/],
    [
      "hansa-hub",
      { ...hub, nats: { ...(hub.nats as object), bundled: true, replicas: 3 } },
      /\/nats\/replicas/,
    ],
    ["hansa-crds", { mcs: "yes" }, /\/mcs/],
  ])("%s %j are refused by their place", (chart, values, place) => {
    const [one] = render(chart, [values]);
    expect(one?.ok).toBe(false);
    if (one?.ok === false) expect(one.message).toMatch(place);
  });
});

describe("one source", () => {
  it("what the chart takes from the code is current (node deploy/tools/generate.ts)", () => {
    for (const [path, text] of Object.entries({ ...chartParts(), ...base() }))
      expect(readFileSync(join(root, path), "utf8"), path).toBe(text);
  });

  it("the chart grants what the table of rights says, and no more", () => {
    const granted = (kind: string): string[] =>
      objects(rendered("hansa-agent", "minimal"))
        .filter((object) => object.kind === kind)
        .flatMap(({ rules }) => rules ?? [])
        .flatMap(({ apiGroups, resources, verbs }) =>
          verbs.map((verb) => `${verb} ${resources.join()} ${apiGroups.join()}`),
        )
        .sort();
    const inTable = (scope: Rule["scope"]): string[] =>
      AGENT_RULES.filter((rule) => rule.scope === scope)
        .flatMap(({ verbs, resource, group }) => verbs.map((verb) => `${verb} ${resource} ${group}`))
        .sort();
    expect(granted("ClusterRole")).toEqual(inTable("cluster"));
    expect(granted("Role")).toEqual(inTable("own"));
  });

  it("the chart's kinds are those of deploy/crds, and stay when the chart goes", () => {
    const crds = objects(rendered("hansa-crds", "all"));
    const given = globSync("deploy/crds/*.yaml", { cwd: root }).flatMap((file) =>
      objects(readFileSync(join(root, file), "utf8")),
    );
    const bare = crds.map((crd) => {
      const { annotations, ...metadata } = crd.metadata as Manifest["metadata"] & {
        annotations: Record<string, string>;
      };
      const { "helm.sh/resource-policy": policy, ...others } = annotations;
      expect(policy).toBe("keep");
      return {
        ...crd,
        metadata: { ...metadata, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) },
      };
    });
    expect(bare.sort(byName)).toEqual(given.sort(byName));
  });

  it("kustomize builds the same objects as the chart, the kinds and the namespace", async () => {
    const built = objects(await eu.kubectl.ok(["kustomize", join(root, "deploy/kube")]));
    const expected = [
      ...objects(readFileSync(join(root, "deploy/kube/namespace.yaml"), "utf8")),
      ...globSync("deploy/crds/*.yaml", { cwd: root }).flatMap((file) =>
        objects(readFileSync(join(root, file), "utf8")),
      ),
      ...objects(rendered("hansa-agent", "minimal")),
    ];
    expect(new Map(built.map((object) => [keyOf(object), object]))).toEqual(
      new Map(expected.map((object) => [keyOf(object), object])),
    );
  });

  it.each<readonly [string, object]>([
    ["minimal", { service: { namespace: "hansa-system", name: "hansa-gateway" }, serviceAccount: GATEWAY }],
    ["trial", { address: "192.0.2.10" }],
    ["production", { addresses: ["192.0.2.10", "gw.eu.example.com"], listen: "::", serviceAccount: GATEWAY }],
  ])(
    "values/%s make a configuration that the agent takes, and a gateway that comes to it",
    (name, gateway) => {
      const data: Record<string, string> = Object.assign(
        {},
        ...objects(rendered("hansa-agent", name)).map((one) => (one.kind === "ConfigMap" ? one.data : {})),
      );
      const parsed = parseConfig(data["agent.yaml"] ?? "", "agent.yaml");
      expect(parsed).toMatchObject({ cluster: "eu", network: "eu", gateway });
      const { serviceAccount } = parsed.gateway;
      // Where the agent listens for its gateway is where the gateway dials.
      const socket = `/run/hansa/sockets/${createHash("sha256").update("gateway/gw").digest("hex").slice(0, 16)}.sock`;
      const { host } = parsed.source.kubernetes?.sidecars ?? {};
      expect(data["gateway.json"]).toContain(
        serviceAccount === undefined ? `"${socket}"` : `"address": "${host}",\n`,
      );
      expect(JSON.parse(data["gateway.json"] ?? "")).toMatchObject({
        node: { id: "gateway/gw", cluster: "eu", locality: { region: "eu-west-1", zone: parsed.zones[0] } },
      });
    },
  );

  it("a gateway in pods of its own has an account without rights, and a token for the agent alone", () => {
    const [deployment] = objects(rendered("hansa-agent", "minimal")).filter(
      ({ kind }) => kind === "Deployment",
    );
    const pod =
      deployment === undefined ? {} : (deployment.spec as { template: { spec: object } }).template.spec;
    expect(pod).toMatchObject({ serviceAccountName: GATEWAY, automountServiceAccountToken: false });
    expect(JSON.stringify(pod)).toContain('"audience":"hansa"');
    const subjects = objects(rendered("hansa-agent", "minimal")).flatMap((one) =>
      one.kind.endsWith("Binding") ? JSON.stringify(one) : [],
    );
    expect(subjects.join()).not.toContain(GATEWAY);
  });

  it("without sidecars and with the gateway beside the agent, no door is open", () => {
    const [one] = render("hansa-agent", [
      { ...valuesOf("hansa-agent", "trial"), sidecars: { enabled: false } },
    ]);
    const text = one === undefined ? "" : manifests(one);
    expect(text).toContain("hansa-gateway");
    for (const absent of ["15012", "15017", "hansa-sidecars", "kind: Deployment"])
      expect(text).not.toContain(absent);
  });
});

const byName = (one: Manifest, other: Manifest): number => (one.metadata.name < other.metadata.name ? -1 : 1);

/** The Prometheus operator's kind by name alone: its fields are not checked here. */
const PODMONITORS = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "podmonitors.monitoring.coreos.com" },
  spec: {
    group: "monitoring.coreos.com",
    scope: "Namespaced",
    names: { plural: "podmonitors", singular: "podmonitor", kind: "PodMonitor", listKind: "PodMonitorList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
