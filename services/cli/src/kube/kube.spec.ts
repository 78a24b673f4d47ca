/** What an installation in Kubernetes is made of: the chart's objects with a cluster's own settings, and what is asked before. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { unserved } from "./check-facts.ts";
import { stanza, withBlock } from "./cluster-dns.ts";
import { agentObjects, readBase } from "./installation.ts";
import { answerIn, podReason } from "./installed.ts";
import { isKubeContext } from "./names.ts";
import { resourceOf } from "./objects.ts";
import { clockFinding, mustPass, reachFinding, versionFinding, wantedRights } from "./preflight.ts";
import { balancerAddress, settingsOf } from "./settings.ts";

const base = readBase();
const ticket = { hub: ["https://hub.example.com:8443"], cluster: "eu" };
const options = {
  region: "eu-west-1",
  cidrs: "192.0.2.0/24",
  nats: "nats://nats.example.com:4222",
  gatewayPort: "15443",
  service: "LoadBalancer",
};
const settings = (more: object = {}) => settingsOf({ ...options, ...more }, ticket, undefined);

/** Helm's labels, texts of configuration as data, and the hash of them: the same by what they say. */
const comparable = (objects: readonly object[]): unknown =>
  JSON.parse(
    JSON.stringify(objects, (name, value) => {
      if (name === "hansa.dev/config" || name === "helm.sh/chart" || name === "app.kubernetes.io/managed-by")
        return undefined;
      if (name === "agent.yaml" || name === "gateway.json") return parse(value);
      return value;
    }),
  );

describe("a kind of objects", () => {
  const [crd] = base.crds;
  const inCluster = (versions: readonly object[], established = "True") => ({
    metadata: { name: "x" },
    spec: { versions },
    status: { conditions: [{ type: "Established", status: established }] },
  });
  const known = { name: "v1alpha1", served: true };

  it("is as needed where a version of it is served that is known here", () => {
    expect(unserved(crd!, inCluster([known, { name: "v2", served: true }]))).toEqual([]);
    expect(unserved(crd!, undefined)).toEqual([crd!.metadata.name]);
    expect(unserved(crd!, inCluster([known], "False"))).toEqual([crd!.metadata.name]);
    const newer = [
      { ...known, served: false },
      { name: "v2", served: true },
    ];
    expect(unserved(crd!, inCluster(newer))).toEqual([`${crd!.metadata.name} is served as v2 alone`]);
  });
});

describe("an installation", () => {
  it("with the settings of values/minimal.yaml is the chart's own", () => {
    expect(comparable(agentObjects(base.agent, settings()))).toEqual(comparable(base.agent));
  });

  it("is configured by its settings, every one of them", () => {
    const other = settingsOf(
      {
        region: "r2",
        zones: "z1,z2",
        network: "flat",
        cidrs: "10.9.0.0/16",
        nats: "tls://n:1",
        hub: "https://h:1",
        address: "10.9.0.1",
        gatewayPort: "16443",
        service: "ClusterIP",
        clusterSetIps: "198.19.0.0/16",
        gatewayImage: "e:1",
        gatewayMode: "on",
        neighbourCidrs: "10.64.0.0/16",
        endpointSlices: "headless",
      },
      { ...ticket, cluster: "us" },
      undefined,
    );
    const configs = agentObjects(base.agent, other).filter(({ kind }) => kind === "ConfigMap");
    const data: Record<string, string> = Object.assign({}, ...configs.map((config) => config.data));
    expect(parse(data["agent.yaml"] ?? "")).toMatchObject({
      cluster: "us",
      region: "r2",
      zones: ["z1", "z2"],
      network: "flat",
      cidrs: ["10.9.0.0/16"],
      hub: { url: "https://h:1" },
      nats: { servers: ["tls://n:1"] },
      gateway: { name: "gw", address: "10.9.0.1", port: 16_443, listen: "0.0.0.0" },
      source: {
        kubernetes: {
          clusterSetIps: ["198.19.0.0/16"],
          sidecars: { proxyImage: "e:1", neighbourCidrs: ["10.64.0.0/16"] },
          gatewayMode: {},
          endpointSlices: "headless",
        },
      },
    });
    expect(JSON.parse(data["gateway.json"] ?? "")).toMatchObject({
      node: { id: "gateway/gw", cluster: "us", locality: { region: "r2", zone: "z1" } },
    });
  });

  it("has no label of Helm", () => {
    expect(JSON.stringify(agentObjects(base.agent, settings()))).not.toMatch(/helm/i);
  });

  it("is of kinds that are known here", () => {
    for (const object of [...base.namespace, ...base.crds, ...base.agent])
      expect(resourceOf(object).plural).toMatch(/s$/);
  });

  it("is another pod where its configuration differs, and the same where not", () => {
    const hashOf = (more: object) =>
      /"hansa.dev\/config":"(\w+)"/.exec(JSON.stringify(agentObjects(base.agent, settings(more))))?.[1];
    expect(hashOf({})).toBe(hashOf({}));
    expect(hashOf({})).not.toBe(hashOf({ region: "eu-west-2" }));
  });

  it("takes images, a storage class, a port", () => {
    const text = JSON.stringify(
      agentObjects(
        base.agent,
        settings({
          agentImage: "r.example.com/a:1",
          storageClass: "fast",
          gatewayPort: "31443",
          service: "NodePort",
        }),
      ),
    );
    expect(text).toContain('"image":"r.example.com/a:1"');
    expect(text).toContain('"storageClassName":"fast"');
    expect(text).toContain('"nodePort":31443');
    expect(text).toContain('"containerPort":31443');
  });
});

describe("settings", () => {
  const installed = {
    cluster: "eu",
    region: "r1",
    zones: ["a"],
    network: "flat",
    cidrs: ["10.0.0.0/8"],
    hub: { url: "https://kept:1" },
    nats: { servers: ["nats://kept:1"] },
    gateway: { address: "10.0.0.1", port: 16_443 },
    source: {
      kubernetes: { clusterSetIps: ["198.19.0.0/16"], endpointSlices: "none", gatewayMode: {} },
    },
  };
  const { gatewayPort, service } = options;

  it("are kept where no flag changes them", () => {
    expect(settingsOf({ gatewayPort, service }, undefined, installed)).toMatchObject({
      cluster: "eu",
      region: "r1",
      zones: ["a"],
      network: "flat",
      cidrs: ["10.0.0.0/8"],
      hub: "https://kept:1",
      nats: ["nats://kept:1"],
      address: "10.0.0.1",
      port: 16_443,
      clusterSetIps: ["198.19.0.0/16"],
      endpointSlices: "none",
      gatewayMode: true,
    });
  });

  it("say no where a flag takes back what is installed", () => {
    const off = settingsOf({ gatewayPort, service, gatewayMode: "off" }, undefined, installed);
    expect(off.gatewayMode).toBe(false);
  });

  it.each([
    [{ region: undefined }, "--region"],
    [{ cidrs: "all" }, "--cidrs"],
    [{ nats: "nats.example.com" }, "--nats"],
    [{ gatewayPort: "443" }, "--gateway-port"],
    [{ service: "Ingress" }, "--service"],
    [{ service: "ClusterIP" }, "--address"],
    [{ agentImage: "A image" }, "--agent-image"],
    [{ hub: "http://hub" }, "--hub"],
    [{ gatewayMode: "yes" }, "--gateway-mode"],
    [{ endpointSlices: "some" }, "--endpoint-slices"],
  ])("%j are refused by their flag", (more, flag) => {
    expect(() => settings(more)).toThrow(
      expect.objectContaining({ code: "HSA1001", message: expect.stringContaining(flag) }),
    );
  });

  it("need a token for a cluster that is no member", () => {
    expect(() => settingsOf(options, undefined, undefined)).toThrow(
      expect.objectContaining({ code: "HSA1001" }),
    );
  });
});

describe("the cluster's Corefile", () => {
  const others = ".:53 {\n    kubernetes cluster.local\n}\n";
  const block = stanza("10.96.0.7");

  it("gets a block between its marks, and the same again changes nothing", () => {
    const once = withBlock(others, block);
    expect(once.startsWith(others.trimEnd())).toBe(true);
    expect(once).toContain(`# hansa: begin\n${block}# hansa: end\n`);
    expect(withBlock(once, block)).toBe(once);
  });

  it("gets another address in its place, and is as it was without the block", () => {
    const moved = withBlock(withBlock(others, block), stanza("10.96.0.8"));
    expect(moved).toContain("10.96.0.8");
    expect(moved).not.toContain("10.96.0.7");
    expect(withBlock(moved, "").trim()).toBe(others.trim());
    expect(withBlock(others, "")).toBe(others);
  });
});

describe("before anything is changed", () => {
  it("old versions and far clocks are refused", () => {
    expect(versionFinding("v1.29.9").ok).toBe(false);
    expect([versionFinding("v1.30.0+k3s1").ok, versionFinding("v1.36.3").ok]).toEqual([true, true]);
    expect(clockFinding(301_000)).toMatchObject({ ok: false, message: expect.stringContaining("ahead") });
    expect([clockFinding(-299_000).ok, clockFinding(900).ok]).toEqual([true, true]);
  });

  it("a path that loses packets of full size is told, and left to the user: the cluster may have another", () => {
    expect(reachFinding("hub", "https://h", { kind: "passes" })).toMatchObject({
      ok: true,
      message: "https://h",
    });
    const narrow = reachFinding("hub", "https://h", { kind: "narrow" });
    expect(narrow).toMatchObject({ ok: false, isAdvice: true, message: expect.stringContaining("HSA1013") });
  });

  it("all findings are told at once, advice aside", () => {
    const finding = { check: "clock", ok: false, message: "m" };
    expect(() => mustPass("eu", [{ ...finding, isAdvice: true }])).not.toThrow();
    expect(() => mustPass("eu", [finding, { ...finding, check: "rights" }])).toThrow(
      expect.objectContaining({ code: "HSA7040", message: "context eu: clock: m; rights: m" }),
    );
  });

  it("rights are asked for what is applied and for what is granted", () => {
    const rights = wantedRights([...base.namespace, ...base.agent]).map(
      ({ verb, resource, namespace }) => `${verb} ${resource} ${namespace}`,
    );
    expect(rights).toContain("patch statefulsets hansa-system");
    expect(rights).toContain("create clusterroles ");
    expect(rights).toContain("watch endpointslices ");
    expect(new Set(rights).size).toBe(rights.length);
  });
});

describe("what a cluster tells", () => {
  it("why a pod is not ready", () => {
    const state = { waiting: { reason: "CrashLoopBackOff", message: "back-off" } };
    const said = { terminated: { message: "first\nagent: HSA3003 joinToken: used" } };
    expect(
      podReason({
        phase: "Running",
        containerStatuses: [
          { name: "agent", ready: false, state, lastState: said },
          { name: "gateway", ready: true },
        ],
      }),
    ).toBe("agent is not ready (CrashLoopBackOff: agent: HSA3003 joinToken: used)");
    expect(podReason({ conditions: [{ type: "PodScheduled", status: "False", message: "no node" }] })).toBe(
      "no node",
    );
    expect(podReason({ phase: "Pending" })).toContain("Pending");
  });

  it("a load balancer's address or name", () => {
    const service = (ingress: object[]) => ({ status: { loadBalancer: { ingress } } });
    expect(balancerAddress(service([{ ip: "10.0.0.1" }]))).toBe("10.0.0.1");
    expect(balancerAddress(service([{ hostname: "lb.example.com" }]))).toBe("lb.example.com");
    expect([balancerAddress(service([])), balancerAddress({})]).toEqual(["", ""]);
  });

  it("an agent's answer, its error by code, and what is neither", () => {
    expect(answerIn('{"answer":{"data":1}}', "")).toEqual({ data: 1 });
    expect(() => answerIn('{"error":{"code":"HSA1005","message":"no"}}', "")).toThrow(
      expect.objectContaining({ code: "HSA1005", message: "no" }),
    );
    expect(() => answerIn('{"error":{"code":"X","message":"no"}}', "")).toThrow(
      expect.objectContaining({ code: "HSA1011" }),
    );
    expect(() => answerIn("sh: not found", "127")).toThrow(expect.objectContaining({ code: "HSA1012" }));
  });
});

it("--context names a context of Kubernetes, or a file", () => {
  expect(["eu", "arn:aws:eks:eu-west-1:1:cluster/eu", "admin@eu"].map(isKubeContext)).toEqual([
    true,
    true,
    true,
  ]);
  expect(["./eu", "/etc/eu", "~/eu", "lab.json", "package.json", undefined].map(isKubeContext)).toEqual(
    Array(6).fill(false),
  );
});
