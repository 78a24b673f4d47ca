import fc from "fast-check";
import { expect, it } from "vitest";
import { type AdmissionSight, reviewPolicy } from "./policy-review.ts";

const sight: AdmissionSight = {
  isMember: (cluster) => cluster === "us",
  refusesAddress: (address) => (address.startsWith("10.") ? undefined : `${address} is outside`),
};
const asked = (kind: string, spec: unknown, metadata: object = {}) =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u-1",
      operation: "UPDATE",
      kind: { group: "hansa.dev", version: "v1alpha1", kind },
      object: { metadata: { name: "pay", namespace: "shop", ...metadata }, spec },
    },
  });
const responseOf = (text: string) =>
  (reviewPolicy(text, sight).body as { readonly response: Readonly<Record<string, unknown>> }).response;
const web = (cluster: string) => ({ cluster, namespace: "shop", serviceAccount: "web" });

it.each([
  ["a policy", "AllowPolicy", { service: "pay", from: [web("us"), web("*")] }],
  ["a gateway by Service", "MeshGateway", { service: { namespace: "n", name: "gw" }, port: 1 }],
  ["a gateway by host name", "MeshGateway", { addresses: ["gw.example.com"], port: 1 }],
  ["a gateway inside the grant", "MeshGateway", { addresses: ["10.0.0.1"], port: 1 }],
])("%s is taken without a word", (_name, kind, spec) => {
  expect(responseOf(asked(kind, spec))).toEqual({ uid: "u-1", allowed: true });
});

it.each([
  [
    "a gateway outside the grant",
    "MeshGateway",
    { addresses: ["10.0.0.1", "192.0.2.1"], port: 1 },
    "192.0.2.1 is outside",
  ],
  ["a gateway of no place", "MeshGateway", { port: 1 }, "give service or addresses"],
  ["a field that may narrow", "AllowPolicy", { service: "pay", from: [web("us")], only: [] }, "only"],
  ["a policy of nothing", "FailoverPolicy", { threshold: 0 }, "threshold"],
])("%s is refused with the code and the reason", (_name, kind, spec, reason) => {
  const { allowed, status } = responseOf(asked(kind, spec));
  expect(allowed).toBe(false);
  expect((status as { message: string }).message).toMatch(new RegExp(`^HSA7033 .*${reason}`));
});

it.each([
  ["AllowPolicy", { service: "pay", from: [web("ap"), web("us"), web("ap")] }],
  ["FailoverPolicy", { tiers: [["us"], ["ap"]] }],
])("%s that names a cluster which is not there is taken with a warning", (kind, spec) => {
  expect(responseOf(asked(kind, spec))).toMatchObject({
    allowed: true,
    warnings: ["no cluster ap is in the federation now"],
  });
});

it("what is being deleted may lose its finalizers whatever it says", () => {
  const going = { deletionTimestamp: "2026-11-23T12:00:00Z" };
  expect(responseOf(asked("MeshGateway", { port: 1 }, going))).toMatchObject({ allowed: true });
});

it("any object is answered, and none is taken for another kind", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("AllowPolicy", "FailoverPolicy", "MeshGateway"),
      fc.jsonValue(),
      (kind, spec) => {
        expect(typeof responseOf(asked(kind, spec)).allowed).toBe("boolean");
      },
    ),
  );
  expect(reviewPolicy(asked("Pod", {}), sight)).toMatchObject({ status: 400, outcome: "malformed" });
});
