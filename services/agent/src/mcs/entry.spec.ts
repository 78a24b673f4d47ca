import { describe, expect, it } from "vitest";
import { entryWrites } from "./entry.ts";
import { EntryWriter } from "./entry-writer.ts";
import type { ServedImport } from "./imports.ts";
import { endpoint, served } from "./mcs.fixture.ts";

const options = {
  addresses: () => ["10.64.1.1"],
  portOf: () => 16_000,
  version: "v1beta1",
  hash: (text: string) => `h${text.length}`,
} as const;
const port = (name: string, transport: "TCP" | "UDP" = "TCP") => ({
  name,
  portKey: name,
  port: 42,
  transport,
});
const service = (change: Partial<ServedImport> = {}): ServedImport => ({
  ...served({ eu: [endpoint("10.1.0.1")] }),
  ips: ["10.144.0.7"],
  ports: [port("tcp"), port("udp", "UDP")],
  ...change,
});

describe("what leads a cluster-set IP to the gateway", () => {
  it("is a Service of a class of its own, its one slice, and the address as its status, in this order", () => {
    const writes = entryWrites(service(), "uid-1", options);
    expect(writes).toMatchObject([
      {
        objectKind: "Service",
        ownerReferences: [{ kind: "ServiceImport", uid: "uid-1" }],
        fields: { spec: { loadBalancerClass: "hansa.dev/cluster-set", ports: [{ name: "tcp", port: 42 }] } },
      },
      {
        objectKind: "EndpointSlice",
        fields: { ports: [{ name: "tcp", port: 16_000 }], endpoints: [{ addresses: ["10.64.1.1"] }] },
      },
      {
        target: { subresource: "status" },
        fields: { status: { loadBalancer: { ingress: [{ ip: "10.144.0.7", ipMode: "VIP" }] } } },
      },
    ]);
  });

  it("leads to every gateway of one family", () => {
    const addresses = () => ["10.64.1.1", "fd00::1", "10.64.1.2"];
    expect(entryWrites(service(), "u", { ...options, addresses })[1]).toMatchObject({
      fields: {
        addressType: "IPv4",
        endpoints: [{ addresses: ["10.64.1.1"] }, { addresses: ["10.64.1.2"] }],
      },
    });
    expect(entryWrites(service(), "u", { ...options, addresses: () => [] })).toEqual([]);
  });

  it("is nothing where there is no address, no port by TCP, or no free port of the gateway", () => {
    expect(entryWrites(service({ ips: [] }), "u", options)).toEqual([]);
    expect(entryWrites(service({ ports: [port("udp", "UDP")] }), "u", options)).toEqual([]);
    expect(entryWrites(service(), "u", { ...options, portOf: () => undefined })).toEqual([]);
  });

  it("is written once, again for another import object, and again after a failure", async () => {
    const seen: string[] = [];
    let outcome: "applied" | "not-writer" = "applied";
    const writer = new EntryWriter(options, {
      write: async (write) => {
        seen.push(write.target.subresource ?? write.target.resource.plural);
        return outcome === "applied" ? { outcome, uid: "", version: "" } : { outcome };
      },
    });
    const plan = async (uid: string) => {
      writer.plan("shop/pay", service(), uid);
      await new Promise((resolve) => setImmediate(resolve));
    };
    await plan("a");
    await plan("a");
    expect(seen).toEqual(["services", "endpointslices", "status"]);
    outcome = "not-writer";
    await plan("b");
    outcome = "applied";
    await plan("b");
    expect(seen.slice(3)).toEqual(["services", "services", "endpointslices", "status"]);
  });
});
