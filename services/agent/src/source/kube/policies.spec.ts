/** The same policy, written for Kubernetes and for the file source, is the same registers. */
import { describe, expect, it } from "vitest";
import { parseSource, type SourceDocument } from "../document.ts";
import { type Fact, factsOf, gatewayFact } from "../facts.ts";
import {
  allowOutcome,
  failoverOutcome,
  type GatewaySight,
  gatewayOutcome,
  type PolicyOutcome,
} from "./policies.ts";
import { acceptedCondition } from "./policy-conditions.ts";
import { type PolicyObjectKind, projectPolicy } from "./policy-objects.ts";

const place = { trustDomain: "eu.lab.hansa" as never, region: "eu-west-1", zones: ["a"] };

function fromFile(document: object): Fact[] {
  const parsed = parseSource(JSON.stringify(document), { cluster: "eu", federation: "lab.hansa" });
  if (parsed.kind !== "document") throw new Error(parsed.problems.join());
  return [...factsOf(parsed.document as SourceDocument, place).values()];
}

const object = (kind: PolicyObjectKind, spec: object, name = "pay", namespace = "shop") =>
  projectPolicy(kind, { metadata: { name, namespace, generation: 3 }, spec })!;
const factsIn = (outcome: PolicyOutcome): unknown => (outcome.kind === "accepted" ? outcome.facts : outcome);
const caller = { cluster: "us", namespace: "shop", serviceAccount: "web" };

describe("an AllowPolicy", () => {
  const outcome = (spec: object, name?: string, namespace?: string) =>
    allowOutcome(object("AllowPolicy", spec, name, namespace));

  it("is what the file calls an allow", () => {
    const from = [caller, { cluster: "*", namespace: "shop", serviceAccount: "*" }];
    const file = { allows: [{ namespace: "shop", name: "web-pay", service: "pay", from }] };
    expect(factsIn(outcome({ service: "pay", from }, "web-pay"))).toEqual(fromFile(file));
  });

  it.each([
    ["nobody", { service: "pay", from: [] }, "from: "],
    ["no service", { from: [caller] }, "service: "],
    [
      "a caller of half a name",
      { service: "pay", from: [{ cluster: "us", namespace: "shop" }] },
      "from[0].serviceAccount: ",
    ],
    [
      "a caller with more to it",
      { service: "pay", from: [{ ...caller, except: "x" }] },
      'from[0]: Unrecognized key: "except"',
    ],
    ["what is no list", { service: "pay", from: "*" }, "from: "],
  ])("of %s admits nobody and says why", (_what, spec, says) => {
    expect(outcome(spec)).toMatchObject({
      kind: "refused",
      reason: "Invalid",
      message: expect.stringContaining(says),
    });
  });

  it("with a field that this version does not know admits nobody: it may be one that narrows", () => {
    expect(outcome({ service: "pay", from: [caller], unless: [] })).toEqual({
      kind: "refused",
      reason: "UnknownField",
      message: "not known to this version of Hansa: unless",
    });
  });

  it("has no effect on the mesh's own namespace", () => {
    expect(outcome({ service: "pay", from: [caller] }, "x", "hansa-system")).toMatchObject({
      kind: "refused",
    });
  });
});

describe("a FailoverPolicy", () => {
  const outcome = (spec: object, name?: string, namespace?: string) =>
    failoverOutcome(object("FailoverPolicy", spec, name, namespace));

  it("is what the file calls failover, for the service of its name", () => {
    const policy = {
      threshold: 50,
      tiers: [["eu"], ["us"]],
      regions: { "eu-west-1": ["us-east-1"] },
      hysteresisPercent: 5,
    };
    const file = { failover: [{ namespace: "shop", name: "pay", ...policy, hysteresisMs: 60_000 }] };
    expect(factsIn(outcome({ ...policy, hysteresisSeconds: 60 }))).toEqual(fromFile(file));
  });

  it("of nothing is the defaults of the file", () => {
    expect(factsIn(outcome({}))).toEqual(fromFile({ failover: [{ namespace: "shop", name: "pay" }] }));
  });

  it("named default in Hansa's namespace holds for all; another name there has no meaning", () => {
    expect(factsIn(outcome({ threshold: 80 }, "default", "hansa-system"))).toEqual(
      fromFile({ failover: [{ namespace: "-", name: "-", threshold: 80 }] }),
    );
    expect(outcome({}, "pay", "hansa-system")).toMatchObject({ kind: "refused", reason: "Invalid" });
    expect(factsIn(outcome({}, "default"))).toEqual(
      fromFile({ failover: [{ namespace: "shop", name: "default" }] }),
    );
  });

  it("with a field that this version does not know holds in what it does know, and says so", () => {
    expect(outcome({ threshold: 80, burst: 1 })).toMatchObject({
      kind: "accepted",
      message: expect.stringContaining("burst"),
    });
  });

  it.each([
    { threshold: 0 },
    { threshold: "70" },
    { tiers: ["eu"] },
    { hysteresisSeconds: 3601 },
    { hysteresisSeconds: "1" },
  ])("%j has no effect", (spec) =>
    expect(outcome(spec)).toMatchObject({ kind: "refused", reason: "Invalid" }),
  );
});

describe("a MeshGateway", () => {
  const sight: GatewaySight = {
    region: "eu-west-1",
    isReady: true,
    ofService: (key, port) =>
      key === "hansa-system/gw"
        ? { kind: "found", addresses: ["lb.example.com"], port }
        : { kind: key === "a/none" ? "none" : "pending", message: "has no address" },
    resolve: (hostname, before) =>
      ({
        "lb.example.com": ["10.0.0.2", "fd00::1", "10.0.0.1"],
        "gone.example.com": [],
        "old.example.com": before,
      })[hostname],
  };
  const outcome = (spec: object, more: Partial<GatewaySight> = {}, before: readonly string[] = []) =>
    gatewayOutcome(
      object("MeshGateway", { port: 15_443, ...spec }, "gw", ""),
      { ...sight, ...more },
      before.map((address) => gatewayFact({ name: "gw", address, port: 15_443, ready: true }, "eu-west-1")),
    );
  const keys = (found: PolicyOutcome) =>
    found.kind === "accepted" ? found.facts.map(({ key }) => key) : found;

  it("of one address is what the file calls a gateway", () => {
    const file = (ready: boolean) =>
      fromFile({ gateways: [{ name: "gw", address: "10.0.0.1", port: 15_443, ready }] });
    expect(factsIn(outcome({ addresses: ["10.0.0.1"] }))).toEqual(file(true));
    expect(factsIn(outcome({ addresses: ["10.0.0.1"] }, { isReady: false }))).toEqual(file(false));
  });

  it("of several has a register for each, named by it and independent of their order", () => {
    const three = ["gateway/gw-10-0-0-1", "gateway/gw-10-0-0-2", "gateway/gw-fd00--1"];
    expect(keys(outcome({ service: { namespace: "hansa-system", name: "gw" } }))).toEqual(three);
    expect(keys(outcome({ addresses: ["fd00::1", "10.0.0.2", "10.0.0.1", "lb.example.com"] }))).toEqual(
      three,
    );
  });

  it("of a host name has registers named by its addresses, from the first one on", () => {
    expect(keys(outcome({ addresses: ["old.example.com"] }, {}, ["10.0.0.9"]))).toEqual([
      "gateway/gw-10-0-0-9",
    ]);
  });

  it("takes the port that its Service has outside", () => {
    const ofService = () => ({ kind: "found", addresses: ["10.0.0.1"], port: 31_443 }) as const;
    const found = outcome({ service: { namespace: "a", name: "gw" } }, { ofService });
    expect(factsIn(found)).toMatchObject([{ value: { address: "10.0.0.1", port: 31_443 } }]);
  });

  it("that is not known yet is neither in force nor gone", () => {
    expect(outcome({ service: { namespace: "a", name: "new" } })).toMatchObject({ kind: "pending" });
    expect(outcome({ addresses: ["10.0.0.1", "new.example.com"] })).toMatchObject({ kind: "pending" });
  });

  it.each([
    ["nowhere", {}, "Invalid"],
    ["in two places", { addresses: ["10.0.0.1"], service: { namespace: "a", name: "gw" } }, "Invalid"],
    ["without a port", { addresses: ["10.0.0.1"], port: undefined }, "Invalid"],
    ["whose Service has no address", { service: { namespace: "a", name: "none" } }, "NoService"],
    ["whose name has no address", { addresses: ["gone.example.com"] }, "NoService"],
  ])("%s has no effect", (_what, spec, reason) => {
    expect(outcome(spec)).toMatchObject({ kind: "refused", reason });
  });
});

describe("its status", () => {
  const context = { generation: 3, before: [], now: "2026-11-23T12:00:00Z" };
  it.each([
    [{ kind: "accepted", facts: [], message: "" } as const, "True", "Accepted"],
    [{ kind: "refused", reason: "UnknownField", message: "x" } as const, "False", "UnknownField"],
    [{ kind: "pending", message: "x" } as const, "Unknown", "Pending"],
  ])("%j is Accepted=%s by %s", (outcome, status, reason) => {
    expect(acceptedCondition(outcome, context)).toEqual({
      type: "Accepted",
      status,
      reason,
      message: outcome.message,
      lastTransitionTime: context.now,
      observedGeneration: 3,
    });
  });
});

it("an object whose deletion has begun says nothing", () => {
  const metadata = { name: "pay", namespace: "shop", deletionTimestamp: "2026-11-23T12:00:00Z" };
  expect(projectPolicy("AllowPolicy", { metadata, spec: {} })).toBeUndefined();
});
