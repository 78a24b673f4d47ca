import { expect, test } from "vitest";
import { fromBinary, ListenerSchema, registry, toJson } from "../../gen/index.ts";
import { inconsistencies } from "./consistency/assert-consistent.ts";
import { FEDERATION, gatewayInput, serving, sni } from "./fixtures.ts";
import { gatewayResources } from "./gateway.ts";
import { compareListenerFrame } from "./listener-frame.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into protobuf JSON.
type Tree = any;
const PROBE = `probe.eu.gw.${FEDERATION}`;
const listenerOf = (input = gatewayInput()): Uint8Array =>
  gatewayResources(input).listeners.get("gateway") as Uint8Array;
const json = (bytes: Uint8Array): Tree =>
  toJson(ListenerSchema, fromBinary(ListenerSchema, bytes), { registry });

test("chains exist for exported ports and the probe, and for nothing else", () => {
  const resources = gatewayResources(gatewayInput());
  const exported = new Set([sni("pay", "http"), sni("pay", "tcp")]);
  expect(inconsistencies(resources, { exported })).toEqual([]);
  const listener = json(listenerOf());
  expect(
    listener.filterChains.map((chain: Tree) => [chain.name, chain.filterChainMatch.serverNames]),
  ).toEqual([PROBE, sni("pay", "http"), sni("pay", "tcp")].map((name) => [name, [name]]));
  expect(JSON.stringify(listener)).not.toContain("secret");
  expect([...resources.clusters.keys()].join()).not.toContain("secret");
});

test("a passed connection has no age, the probe's is bounded", () => {
  const [probe, ...passed] = json(listenerOf()).filterChains;
  for (const chain of passed) {
    expect(chain.filters).toHaveLength(1);
    expect(chain.filters[0].typedConfig).not.toHaveProperty("maxDownstreamConnectionDuration");
    expect(chain).not.toHaveProperty("transportSocket");
  }
  expect(probe.filters[1].typedConfig.commonHttpProtocolOptions.maxConnectionDuration).toBe("900s");
});

test("the probe admits members' agents by exact id", () => {
  const policy = gatewayResources(gatewayInput()).extensionConfigs.get(`rbac/${PROBE}`);
  const text = new TextDecoder().decode(policy);
  for (const name of ["ap", "eu", "us"])
    expect(text).toContain(`spiffe://${name}.${FEDERATION}/ns/hansa-system/sa/agent`);
});

test("exports, callers, members, endpoints and certificates never touch the listener's frame", () => {
  const before = listenerOf();
  const changed = [
    gatewayInput({ serving: [] }),
    gatewayInput({
      serving: [serving("cart", "http"), serving("pay", "http", { callers: [], endpoints: [] })],
    }),
    gatewayInput({ members: [], svid: { certPem: "NEW", keyPem: "NEW" } }),
  ];
  for (const input of changed) expect(compareListenerFrame(before, listenerOf(input))).toEqual([]);
});

test("a change of the frame is named", () => {
  const moved = gatewayInput({ listen: { address: "127.0.0.2", port: 15_443 } });
  expect(compareListenerFrame(listenerOf(), listenerOf(moved))).toEqual(["address"]);
});

test("a gateway on every address takes both families", () => {
  const { address } = json(listenerOf(gatewayInput({ listen: { address: "::", port: 15_443 } })));
  expect(address.socketAddress).toMatchObject({ address: "::", ipv4Compat: true });
  expect(json(listenerOf()).address.socketAddress).not.toHaveProperty("ipv4Compat");
});
