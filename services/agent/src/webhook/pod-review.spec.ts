import { applyPatch, INJECT, type PatchOperation, type Pod } from "@hansa/inject";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reviewPod } from "./pod-review.ts";

const settings = {
  cluster: "eu",
  proxyImage: "envoy",
  rulesImage: "hansa",
  agent: { host: "agent", port: 15_010 },
  excludeOutboundCidrs: [],
};
const enabled = { [INJECT]: "enabled" };
const pod = { metadata: { name: "pay" }, spec: { containers: [{ name: "app" }] } };
const asked = (more: object = {}, request: object = {}): string =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u-1",
      operation: "CREATE",
      kind: { group: "", version: "v1", kind: "Pod" },
      object: pod,
      ...request,
    },
    ...more,
  });

interface Response {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patch?: string;
    readonly status?: { readonly message: string };
  };
}
const responseOf = (text: string): Response["response"] =>
  (reviewPod(text, enabled, settings).body as Response).response;

describe("a review", () => {
  it("is answered with the injector's patch, under its own uid", () => {
    const { uid, allowed, patch } = responseOf(asked());
    expect([uid, allowed]).toEqual(["u-1", true]);
    const operations = JSON.parse(Buffer.from(patch ?? "", "base64").toString()) as PatchOperation[];
    expect(applyPatch(pod as Pod, operations).spec.initContainers).toHaveLength(2);
  });

  it("of a pod that opts out is answered without one", () => {
    const object = { ...pod, metadata: { annotations: { [INJECT]: "disabled" } } };
    expect(responseOf(asked({}, { object }))).toEqual({ uid: "u-1", allowed: true });
  });

  it("of a pod that cannot have one is answered with the code and the place", () => {
    const object = { ...pod, spec: { ...pod.spec, hostNetwork: true } };
    const { allowed, status, patch } = responseOf(asked({}, { object }));
    expect([allowed, patch]).toEqual([false, undefined]);
    expect(status?.message).toMatch(/^HSA7031 spec.hostNetwork/);
  });

  it.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["an older version", asked({ apiVersion: "admission.k8s.io/v1beta1" })],
    ["another kind", asked({ kind: "Pod" })],
    ["no request", asked({ request: undefined })],
    ["no uid", asked({}, { uid: "" })],
    ["an update", asked({}, { operation: "UPDATE" })],
    ["another object", asked({}, { kind: { group: "apps", version: "v1", kind: "Deployment" } })],
  ])("that is %s is refused", (_what, text) => {
    expect(reviewPod(text, enabled, settings)).toMatchObject({
      outcome: "malformed",
      status: 400,
      body: { code: "HSA7032" },
    });
  });

  it("of anything at all has an answer", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (object) => {
        const { outcome } = reviewPod(asked({}, { object }), enabled, settings);
        expect(["refused", "left", "injected"]).toContain(outcome);
      }),
    );
  });
});
