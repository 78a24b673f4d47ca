import { expect, test } from "vitest";
import { fromBinary, ListenerSchema, registry, toJson } from "../../gen/index.ts";
import { inconsistencies } from "./consistency/assert-consistent.ts";
import { domain, gatewayInput, serving, sidecarInput, sni } from "./fixtures.ts";
import { gatewayResources } from "./gateway.ts";
import type { GatewayInput } from "./types.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into protobuf JSON.
type Tree = any;
const listener = (bytes: Uint8Array | undefined): Tree =>
  toJson(ListenerSchema, fromBinary(ListenerSchema, bytes as Uint8Array), { registry });

const pod = {
  address: "10.1.0.9",
  port: 8080,
  weight: 1,
  health: "healthy",
  placeholder: false,
  id: "p",
} as const;
const plain = (name: string, protocol: "http" | "tcp") =>
  serving(name, protocol, { endpoints: [], plain: [pod] });

function inMode(change: Partial<GatewayInput> = {}): GatewayInput {
  const ports = [plain("pay", "http"), plain("db", "tcp"), serving("cart", "http")];
  const front = { certPem: "SERVICE", keyPem: "KEY" };
  return gatewayInput({
    serving: ports,
    gatewayMode: {
      trustDomain: domain("eu"),
      fronts: new Map([sni("pay", "http"), sni("db", "tcp")].map((name) => [name, front])),
      entries: [],
    },
    ...change,
  });
}

test("chains of pods without a proxy end mTLS as their service does, behind guard and policy; others are passed", () => {
  const resources = gatewayResources(inMode());
  const exported = new Set([sni("pay", "http"), sni("db", "tcp"), sni("cart", "http")]);
  expect(inconsistencies(resources, { exported })).toEqual([]);
  const chains = listener(resources.listeners.get("gateway")).filterChains;
  const ends = chains.filter((chain: Tree) => chain.transportSocket !== undefined);
  expect(ends.map((chain: Tree) => chain.name)).toEqual([
    "probe.eu.gw.lab.hansa",
    sni("pay", "http"),
    sni("db", "tcp"),
  ]);
  const db = ends[2];
  expect(JSON.stringify(db.transportSocket)).toContain(`svid/${sni("db", "tcp")}`);
  expect(db.filters).toHaveLength(3);
  expect([...resources.clusters.keys()]).toEqual(
    [
      "BlackHole",
      `app/${sni("db", "tcp")}`,
      `app/${sni("pay", "http")}`,
      `passthrough/${sni("cart", "http")}`,
    ].sort(),
  );
});

test("an import has a listener of its own, by its protocol", () => {
  const { views } = sidecarInput();
  const { gatewayMode } = inMode();
  const entries = views.map((view, index) => ({ view, port: 16_000 + index }));
  const resources = gatewayResources(inMode({ gatewayMode: { ...gatewayMode!, entries } }));
  for (const { view, port } of entries) {
    const found = listener(resources.listeners.get(`entry/${view.sni}`));
    expect(found.address.socketAddress.portValue).toBe(port);
    const text = JSON.stringify(found.filterChains);
    expect(text.includes("HttpConnectionManager")).toBe(view.port.protocol !== "tcp");
    expect(text).toContain(`"cluster":"${view.sni}"`);
  }
});

test("without gateway mode nothing is ended and nobody comes in", () => {
  const { gatewayMode: _mode, ...input } = inMode();
  const resources = gatewayResources(input);
  expect([...resources.listeners.keys()]).toEqual(["gateway"]);
  expect([...resources.clusters.keys()].some((name) => name.startsWith("app/"))).toBe(false);
});
