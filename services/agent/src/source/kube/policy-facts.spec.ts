import { parseKey } from "@hansa/events";
import { describe, expect, it } from "vitest";
import { type Fact, gatewayFact } from "../facts.ts";
import { PolicyFacts } from "./policy-facts.ts";
import type { PolicyObject, PolicyObjectKind } from "./policy-objects.ts";

const object = (kind: PolicyObjectKind, name: string, spec: object): PolicyObject => ({
  kind,
  namespace: kind === "MeshGateway" ? "" : "shop",
  name,
  generation: 1,
  spec: spec as PolicyObject["spec"],
  conditions: [],
});
const allow = (from: readonly object[]) => object("AllowPolicy", "web-pay", { service: "pay", from });
const WEB = { cluster: "us", namespace: "shop", serviceAccount: "web" };
const gateway = (spec: object) => object("MeshGateway", "east", { port: 15_443, ...spec });
const service = gateway({ service: { namespace: "hansa-system", name: "gw" } });

const CONFIGURED = { addresses: ["10.0.0.1"], port: 15_443 };

function rig(configured: object = CONFIGURED, told: readonly Fact<"GatewaySet">[] = []) {
  let addresses: readonly string[] | undefined;
  const facts = new PolicyFacts({
    sight: {
      region: "eu-west-1",
      isReady: true,
      ofService: (_key, port) =>
        addresses === undefined
          ? { kind: "pending", message: "is not known yet" }
          : { kind: "found", addresses, port },
      resolve: () => undefined,
    },
    configuredGateway: { ...object("MeshGateway", "gw", configured), generation: 0 },
    remembered: () => told,
  });
  const keys = (): string[] => {
    facts.take();
    return [...facts.all().keys()].sort();
  };
  return {
    facts,
    keys,
    serve: (found: readonly string[] | undefined) => {
      addresses = found;
      facts.addressesChanged("hansa-system/gw");
    },
  };
}

describe("facts of policies", () => {
  it("come and go with their objects, and a refused one says nothing", () => {
    const { facts, keys } = rig();
    facts.apply("AllowPolicy", "shop/web-pay", allow([WEB]));
    expect(keys()).toEqual(["gateway/gw", "policy/allow/shop/web-pay"]);
    facts.apply("AllowPolicy", "shop/web-pay", allow([]));
    expect(facts.take()).toMatchObject({
      set: [],
      gone: [{ key: "policy/allow/shop/web-pay" }],
      exports: ["AllowPolicy shop/web-pay"],
    });
    expect(facts.get("AllowPolicy shop/web-pay")?.outcome.kind).toBe("refused");
    facts.apply("AllowPolicy", "shop/web-pay", undefined);
    expect(facts.take()).toMatchObject({ set: [], gone: [] });
  });

  it("tell only what differs", () => {
    const { facts, keys } = rig();
    facts.apply("AllowPolicy", "shop/web-pay", allow([WEB]));
    keys();
    facts.apply("AllowPolicy", "shop/web-pay", allow([WEB]));
    expect(facts.take()).toMatchObject({ set: [], gone: [] });
  });

  it("have the configured gateways until a MeshGateway is known, and again when it goes", () => {
    const { facts, keys, serve } = rig();
    facts.apply("MeshGateway", "east", service);
    expect(keys()).toEqual(["gateway/gw"]);
    serve(["192.0.2.1"]);
    expect(keys()).toEqual(["gateway/east"]);
    serve(["192.0.2.2", "192.0.2.3"]);
    expect(keys()).toEqual(["gateway/east-192-0-2-2", "gateway/east-192-0-2-3"]);
    facts.apply("MeshGateway", "east", undefined);
    expect(keys()).toEqual(["gateway/gw"]);
  });

  it("name each address of a gateway by a key that the log takes", () => {
    const { facts, keys, serve } = rig();
    const long = object("MeshGateway", "g".repeat(63), service.spec);
    facts.apply("MeshGateway", long.name, long);
    const addresses = ["fd00::", "fd00::1", "2001:db8:1111:2222:3333:4444:5555:6666", "192.0.2.1", "::1"];
    serve(addresses);
    const found = keys();
    expect(found).toHaveLength(addresses.length);
    for (const key of found) expect(parseKey(key)?.type).toBe("GatewaySet");
  });

  it("keep the addresses that a gateway had while it is not known what they are now", () => {
    const { facts, keys, serve } = rig();
    facts.apply("MeshGateway", "east", service);
    serve(["192.0.2.1"]);
    expect(keys()).toEqual(["gateway/east"]);
    serve(undefined);
    expect(facts.get("MeshGateway east")?.outcome.kind).toBe("pending");
    expect(keys()).toEqual(["gateway/east"]);
    facts.apply("MeshGateway", "east", gateway({ addresses: ["gw.example.com"] }));
    expect(keys()).toEqual(["gateway/east"]);
  });

  it("keep what the log tells of a gateway whose addresses nobody knows after a start, and of no other", () => {
    const told = (name: string, address: string) =>
      gatewayFact({ name, address, port: 15_443, ready: true }, "eu-west-1");
    const log = [told("gw-192-0-2-7", "192.0.2.7"), told("gw-fd00--7", "fd00::7"), told("gw-b", "192.0.2.8")];
    const { facts, keys } = rig({ addresses: ["gw.example.com"], port: 15_443 }, log);
    expect(keys()).toEqual(["gateway/gw-192-0-2-7", "gateway/gw-fd00--7"]);
    expect(facts.isNamed("gw.example.com")).toBe(true);
    expect(facts.isNamed("x.example.com")).toBe(false);
  });

  it("of the Service in the configuration are found as of any other", () => {
    const { keys, serve } = rig(service.spec as object);
    expect(keys()).toEqual([]);
    serve(["192.0.2.1"]);
    expect(keys()).toEqual(["gateway/gw"]);
    serve(undefined);
    expect(keys()).toEqual(["gateway/gw"]);
  });
});
