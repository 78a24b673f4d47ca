import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPatch } from "./apply-patch.ts";
import { type Injection, inject } from "./inject.ts";
import { INJECT, INJECTED, PROXY_CONTAINER, PROXY_PORTS, PROXY_UID } from "./names.ts";
import type { PatchOperation, Pod } from "./pod.ts";

const settings = {
  cluster: "eu",
  proxyImage: "envoyproxy/envoy:v1.40.0",
  rulesImage: "hansa:test",
  agent: { host: "hansa-agent.hansa-system.svc", port: 15_010 },
  excludeOutboundCidrs: ["10.96.0.1/32"],
};
const ENABLED = { [INJECT]: "enabled" };

const injected = (pod: Pod, labels: Record<string, string> = ENABLED): Injection =>
  inject(pod, labels, settings);

function patchOf(pod: Pod): readonly PatchOperation[] {
  const result = injected(pod);
  if (result.kind !== "patch") throw new Error(JSON.stringify(result));
  return result.patch;
}

function problemsOf(pod: unknown): readonly string[] {
  const result = injected(pod as Pod);
  return result.kind === "refuse" ? result.problems : [];
}

const app = { name: "app", image: "app" };
const pod = (spec: object = {}, metadata: object = {}): Pod =>
  ({ metadata: { name: "pay-1", ...metadata }, spec: { containers: [app], ...spec } }) as Pod;
const annotated = (annotations: object, spec: object = {}): Pod => pod(spec, { annotations });

const richPod = pod(
  {
    initContainers: [{ name: "migrate", image: "migrate" }],
    volumes: [{ name: "data", emptyDir: {} }],
    containers: [
      {
        ...app,
        ports: [{ name: "http", containerPort: 8080 }, { containerPort: 5432 }],
        startupProbe: { grpc: { port: 9000, service: "pay" }, failureThreshold: 30 },
        readinessProbe: {
          httpGet: { path: "/ready?full=$(X)", port: "http", httpHeaders: [{ name: "x-a", value: "1" }] },
          periodSeconds: 3,
        },
        livenessProbe: { tcpSocket: { port: 5432 } },
        lifecycle: { preStop: { httpGet: { path: "bye", port: 8443, scheme: "HTTPS" } } },
      },
      { name: "beside", image: "beside", livenessProbe: { exec: { command: ["true"] } } },
    ],
  },
  {
    labels: { app: "pay" },
    annotations: {
      "hansa.dev/exclude-inbound-ports": "9090, 9091",
      "hansa.dev/exclude-outbound-ports": "25",
      "hansa.dev/exclude-outbound-cidrs": "192.168.0.0/16",
    },
  },
);

describe("the patch", () => {
  it.each([
    ["bare", pod()],
    ["rich", richPod],
  ])("of a %s pod is the golden one", async (name, given) => {
    await expect(`${JSON.stringify(patchOf(given), null, 2)}\n`).toMatchFileSnapshot(
      `../golden/${name}.json`,
    );
  });

  it("tells the proxy exactly one way to its agent, by TLS with the pod's token", () => {
    const golden = JSON.stringify(patchOf(pod()));
    expect(golden.match(/grpc_services/g)).toHaveLength(1);
    expect(golden).toContain(String.raw`\"address\":\"hansa-agent.hansa-system.svc\",\"port_value\":15010`);
    expect(golden).toContain(String.raw`\"id\":\"$(HANSA_NAMESPACE)/$(HANSA_POD)\"`);
  });

  it("lets a kubelet replace nothing but the pod's own fields", () => {
    const text = JSON.stringify(patchOf(richPod));
    expect(text).toContain("/ready?full=$$(X)");
    expect(text.match(/(?<!\$)\$\(\w+\)/g)?.every((name) => name.startsWith("$(HANSA_"))).toBe(true);
  });
});

describe("who gets one", () => {
  it.each([
    ["nobody says anything", {}, {}, "leave"],
    ["the namespace opts in", ENABLED, {}, "patch"],
    ["the namespace says no", { [INJECT]: "disabled" }, {}, "leave"],
    ["the pod opts in alone", {}, ENABLED, "patch"],
    ["the pod opts in where its namespace says no", { [INJECT]: "disabled" }, ENABLED, "patch"],
    ["the pod opts out", ENABLED, { [INJECT]: "disabled" }, "leave"],
    ["the pod says what nobody understands", ENABLED, { [INJECT]: "yes" }, "refuse"],
    ["it has one", ENABLED, { [INJECTED]: "1" }, "leave"],
  ])("%s", (_what, labels, annotations, kind) => {
    expect(injected(annotated(annotations), labels).kind).toBe(kind);
  });
});

describe("what cannot work is refused", () => {
  it.each<[string, unknown, string]>([
    ["the node's network", pod({ hostNetwork: true }), "spec.hostNetwork"],
    ["another operating system", pod({ os: { name: "windows" } }), "spec.os.name"],
    ["the proxy's user", pod({ securityContext: { runAsUser: PROXY_UID } }), "spec.securityContext"],
    [
      "the proxy's user in one container",
      pod({ containers: [{ ...app, securityContext: { runAsUser: PROXY_UID } }] }),
      "spec.containers[0].securityContext",
    ],
    ["a container of the name", pod({ containers: [app, { name: PROXY_CONTAINER }] }), "containers[1].name"],
    ["an init container of it", pod({ initContainers: [{ name: "hansa-rules" }] }), "initContainers[0].name"],
    ["a volume of the name", pod({ volumes: [{ name: "hansa-identity" }] }), "spec.volumes[0].name"],
    ...PROXY_PORTS.map((containerPort): [string, unknown, string] => [
      `port ${containerPort}`,
      pod({ containers: [{ ...app, ports: [{ containerPort }] }] }),
      "spec.containers[0].ports[0]",
    ]),
    [
      "a probe of a port that nobody has",
      pod({ containers: [{ ...app, readinessProbe: { httpGet: { port: "http" } } }] }),
      "spec.containers.0.readinessProbe",
    ],
    ["no port", annotated({ "hansa.dev/exclude-inbound-ports": "80,x" }), "exclude-inbound-ports"],
    ["the proxy's own port", annotated({ "hansa.dev/exclude-inbound-ports": "15006" }), "15006"],
    ["no range", annotated({ "hansa.dev/exclude-outbound-cidrs": "10.0.0.0" }), "exclude-outbound-cidrs"],
    [
      "a rule of one's own",
      annotated({ "hansa.dev/exclude-outbound-cidrs": "10.0.0.0/8 -j ACCEPT" }),
      "exclude-outbound-cidrs",
    ],
    [
      "too many",
      annotated({ "hansa.dev/exclude-outbound-ports": Array(101).fill("1").join() }),
      "at most 100",
    ],
  ])("%s", (_what, given, place) => {
    expect(problemsOf(given).join("\n")).toContain(place);
  });

  it("all of it is named at once", () => {
    expect(problemsOf(pod({ hostNetwork: true, volumes: [{ name: "hansa-run" }] }))).toHaveLength(2);
  });
});

describe("for every pod", () => {
  const port = fc.integer({ min: 1, max: 14_999 });
  const handler = fc.oneof(
    fc.record({ httpGet: fc.record({ path: fc.webPath(), port }) }),
    fc.record({ tcpSocket: fc.record({ port }) }),
    fc.record({ grpc: fc.record({ port }) }),
    fc.record({ exec: fc.record({ command: fc.array(fc.string()) }) }),
  );
  const container = fc.record(
    {
      name: fc.stringMatching(/^[a-z]{1,8}$/),
      image: fc.constant("i"),
      ports: fc.array(fc.record({ containerPort: port })),
      readinessProbe: handler,
      livenessProbe: handler,
      lifecycle: fc.record({ preStop: handler }, { requiredKeys: [] }),
    },
    { requiredKeys: ["name", "image"] },
  );
  const texts = fc.dictionary(fc.stringMatching(/^[a-z~/]{1,8}$/), fc.string());
  const pods = fc.record({
    metadata: fc.record({ labels: texts, annotations: texts }, { requiredKeys: [] }),
    spec: fc.record(
      {
        containers: fc.array(container, { minLength: 1, maxLength: 3 }),
        initContainers: fc.array(container, { maxLength: 2 }),
        volumes: fc.array(fc.record({ name: fc.stringMatching(/^v[a-z]{1,8}$/) })),
        nodeName: fc.string(),
      },
      { requiredKeys: ["containers"] },
    ),
  }) as fc.Arbitrary<Pod>;

  it("an injected pod is left as it is; what the pod said itself stays, in its order", () => {
    fc.assert(
      fc.property(pods, (given) => {
        const before = structuredClone(given);
        const after = applyPatch(given, patchOf(given));
        expect(given).toEqual(before);
        expect(injected(after).kind).toBe("leave");
        expect(after.metadata?.labels).toMatchObject(given.metadata?.labels ?? {});
        expect(after.metadata?.annotations).toMatchObject(given.metadata?.annotations ?? {});
        const names = (list: readonly { name: string }[] = []) => list.map(({ name }) => name);
        expect(names(after.spec.containers)).toEqual(names(given.spec.containers));
        expect(names(after.spec.initContainers)).toEqual([
          "hansa-rules",
          "hansa-proxy",
          ...names(given.spec.initContainers),
        ]);
        expect(names(after.spec.volumes).slice(0, given.spec.volumes?.length ?? 0)).toEqual(
          names(given.spec.volumes),
        );
      }),
    );
  });

  it("every probe that asks the network asks the proxy", () => {
    fc.assert(
      fc.property(pods, (given) => {
        const { initContainers = [], containers } = applyPatch(given, patchOf(given)).spec;
        for (const each of [...initContainers, ...containers])
          for (const asked of [each.readinessProbe, each.livenessProbe, each.lifecycle?.preStop]) {
            expect(asked?.tcpSocket ?? asked?.grpc).toBeUndefined();
            if (asked?.httpGet !== undefined) expect(asked.httpGet.port).toBe(15_021);
          }
      }),
    );
  });

  it("anything at all gets an answer, and what is no pod a refusal", () => {
    const places = ["metadata", "spec"] as const;
    const names = ["volumes", "hostNetwork", "os", "containers", "labels", "annotations", "initContainers"];
    fc.assert(
      fc.property(
        pods,
        fc.constantFrom(...places),
        fc.constantFrom(...names),
        fc.jsonValue(),
        (given, place, name, value) => {
          const result = injected({ ...given, [place]: { ...given[place], [name]: value } } as Pod);
          if (result.kind === "patch")
            applyPatch({ ...given, [place]: { ...given[place], [name]: value } }, result.patch);
          if (result.kind === "refuse") expect(result.problems.length).toBeGreaterThan(0);
        },
      ),
    );
    const probe = { readinessProbe: null, livenessProbe: { httpGet: null, tcpSocket: null, grpc: null } };
    for (const given of [
      { spec: { containers: [{ name: "a", ...probe, ports: null, lifecycle: null }] } },
      { metadata: null, spec: { containers: [app], os: null, volumes: null, securityContext: null } },
    ]) {
      const result = inject(given, ENABLED, settings);
      if (result.kind !== "patch") throw new Error(JSON.stringify(result));
      expect(inject(applyPatch(given, result.patch), ENABLED, settings).kind).toBe("leave");
    }
    for (const value of [null, undefined, 1, "pod", [], {}, { spec: null }, { spec: { containers: {} } }])
      expect(inject(value, ENABLED, settings)).toMatchObject({ kind: "refuse", code: "HSA7031" });
  });
});
