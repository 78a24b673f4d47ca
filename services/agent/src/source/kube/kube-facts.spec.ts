/** The facts depend on the objects, never on the order of their changes; and a change costs what it touches. */
import { canonicalJson } from "@hansa/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DOMAIN, endpointJson, exportJson, PLACE, podJson, serviceJson, sliceJson } from "./kube.fixture.ts";
import { KubeFacts, type ObjectChange, objectKey } from "./kube-facts.ts";
import { projectExport, projectPod, projectService, projectSlice } from "./objects.ts";

const NAMES = ["pay", "web"];
const PODS = ["p1", "p2", "p3"];

const change = (
  kind: ObjectChange["kind"],
  value: { namespace: string; name: string } | undefined,
  key?: string,
) => ({ kind, key: key ?? objectKey(value!), value }) as ObjectChange;

const service = (name: string, spec: object = {}) =>
  change("service", projectService(serviceJson({ name, spec }) as never));
const exported = (name: string, spec: object = {}) =>
  change("export", projectExport(exportJson({ name, spec }) as never));
const pod = (name: string, options: object = {}) =>
  change("pod", projectPod(podJson(name, options) as never));
const slice = (name: string, of: string, pods: readonly string[], ready = true) => {
  const endpoints = pods.map((each) =>
    endpointJson(each, `10.0.0.${PODS.indexOf(each) + 1}`, { conditions: { ready } }),
  );
  return change("slice", projectSlice(sliceJson(endpoints, { name, service: of }) as never));
};
const gone = (kind: ObjectChange["kind"], name: string) => change(kind, undefined, `shop/${name}`);

const name = fc.constantFrom(...NAMES);
const anyChange: fc.Arbitrary<ObjectChange> = fc.oneof(
  fc
    .tuple(name, fc.constantFrom({}, { type: "ExternalName" }, { clusterIPs: ["None"] }))
    .map(([of, spec]) => service(of, spec)),
  fc
    .tuple(name, fc.constantFrom({}, { exportedLabels: { a: "b" } }, { exportedLabels: { a: "b c" } }))
    .map(([of, spec]) => exported(of, spec)),
  fc
    .tuple(fc.constantFrom(...PODS), fc.constantFrom("pay", "web"), fc.boolean())
    .map(([of, account, meshed]) => pod(of, { account, meshed })),
  fc
    .tuple(fc.constantFrom("s1", "s2"), name, fc.subarray(PODS), fc.boolean())
    .map(([of, to, pods, ready]) => slice(of, to, pods, ready)),
  fc.tuple(fc.constantFrom("service" as const, "export" as const), name).map(([kind, of]) => gone(kind, of)),
  fc.constantFrom(...PODS).map((of) => gone("pod", of)),
  fc.constantFrom("s1", "s2").map((of) => gone("slice", of)),
);

const text = (facts: KubeFacts): string =>
  canonicalJson([...facts.all().values()].map(({ key, value }) => [key, value]).sort());

/** Facts of the objects that are left, in the given order, computed at once. */
function fresh(
  changes: readonly ObjectChange[],
  order: (a: ObjectChange, b: ObjectChange) => number,
): string {
  const left = new Map(changes.map((each) => [`${each.kind} ${each.key}`, each]));
  const facts = new KubeFacts(PLACE, DOMAIN);
  for (const each of [...left.values()].sort(order)) facts.apply(each);
  facts.take();
  return text(facts);
}

describe("facts of a cluster", () => {
  it("are the same for any order of changes, however often they are taken", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyChange, fc.boolean()), { maxLength: 40, size: "max" }), (steps) => {
        const facts = new KubeFacts(PLACE, DOMAIN);
        const told = new Map<string, unknown>();
        const take = (): void => {
          const { set, gone: ended } = facts.take();
          for (const { key } of ended) told.delete(key);
          for (const { key, value } of set) told.set(key, value);
        };
        for (const [each, isTaken] of steps) {
          facts.apply(each);
          if (isTaken) take();
        }
        take();
        const changes = steps.map(([each]) => each);
        const byName = (a: ObjectChange, b: ObjectChange): number =>
          `${a.kind}${a.key}` < `${b.kind}${b.key}` ? -1 : 1;
        expect(text(facts)).toBe(fresh(changes, byName));
        expect(text(facts)).toBe(fresh(changes, (a, b) => byName(b, a)));
        expect(canonicalJson([...told].sort())).toBe(text(facts));
        expect(facts.unmeshedCount).toBe(facts.unmeshed().reduce((sum, { count }) => sum + count, 0));
      }),
      { numRuns: 300 },
    );
  });

  it("come for all of an export or for none of it", () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 30, size: "max" }), (changes) => {
        const facts = new KubeFacts(PLACE, DOMAIN);
        for (const each of changes) facts.apply(each);
        facts.take();
        for (const of of NAMES) {
          const keys = [...facts.all().keys()].filter(
            (key) => key.split("/").slice(1, 3).join("/") === `shop/${of}`,
          );
          const valid = facts.validityOf(`shop/${of}`)?.valid === true;
          expect(keys.includes(`service/shop/${of}`)).toBe(valid);
          if (!valid) expect(keys.filter((key) => !key.startsWith("identity/"))).toEqual([]);
        }
      }),
    );
  });

  it("cost the touched Service alone, and tell only what differs", () => {
    const facts = new KubeFacts(PLACE, DOMAIN);
    for (let index = 0; index < 1000; index += 1) {
      facts.apply(service(`svc-${index}`));
      facts.apply(exported(`svc-${index}`));
      facts.apply(slice(`slice-${index}`, `svc-${index}`, ["p1", "p2"]));
    }
    for (const each of PODS) facts.apply(pod(each));
    facts.take();
    const before = facts.computedCount;
    facts.apply(slice("slice-7", "svc-7", ["p1", "p2"], false));
    expect(
      facts
        .take()
        .set.map(({ key }) => key)
        .sort(),
    ).toEqual([
      "endpoint/shop/svc-7/10.0.0.1",
      "endpoint/shop/svc-7/10.0.0.2",
      "load/shop/svc-7/http/eu-west-1/b",
    ]);
    expect(facts.computedCount).toBe(before + 1);
  });

  it("hold an identity as long as a Service or a meshed pod needs it", () => {
    const facts = new KubeFacts(PLACE, DOMAIN);
    const identities = (): string[] => [...facts.all().keys()].filter((key) => key.startsWith("identity/"));
    for (const each of [pod("p1"), pod("p2"), service("pay"), exported("pay"), slice("s1", "pay", ["p1"])])
      facts.apply(each);
    facts.take();
    expect(identities()).toEqual(["identity/shop/pay"]);
    for (const each of [gone("pod", "p1"), gone("export", "pay")]) facts.apply(each);
    facts.take();
    expect(identities()).toEqual(["identity/shop/pay"]);
    facts.apply(gone("pod", "p2"));
    expect(facts.take().gone.map(({ key }) => key)).toEqual(["identity/shop/pay"]);
    expect(identities()).toEqual([]);
  });
});

it("an export that is being deleted is an unexport", () => {
  expect(
    projectExport(exportJson({ metadata: { deletionTimestamp: "2026-11-02T00:00:00Z" } }) as never),
  ).toBeUndefined();
});

it("projections take any JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const object = (
        typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}
      ) as never;
      for (const project of [projectService, projectSlice, projectPod, projectExport]) project(object);
      const nested = { metadata: value, spec: value, status: value, endpoints: value, ports: value } as never;
      for (const project of [projectService, projectSlice, projectPod, projectExport]) project(nested);
    }),
  );
});
