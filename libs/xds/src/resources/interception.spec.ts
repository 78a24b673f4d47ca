import { expect, test } from "vitest";
import {
  anyUnpack,
  create,
  type FilterChain,
  fromBinary,
  HttpConnectionManagerSchema,
  type Listener,
  ListenerSchema,
  toBinary,
} from "../../gen/index.ts";
import { inconsistencies } from "./consistency/assert-consistent.ts";
import { sidecarInput, view } from "./fixtures.ts";
import { compareListenerFrame } from "./listener-frame.ts";
import { vipListenerFor } from "./outbound-listener.ts";
import { sidecarResources } from "./sidecar.ts";
import type { SidecarInput } from "./types.ts";

function taken(more: Partial<SidecarInput> = {}, neighbours: readonly string[] = []): SidecarInput {
  const input = sidecarInput(more);
  const ranges = { vipRanges: ["10.251.0.0/16"], neighbours, adminPort: 15_000 };
  const listen = { ...input.proxy.listen, address: "0.0.0.0", taken: ranges };
  return { ...input, proxy: { ...input.proxy, listen } };
}
const bytesOf = (name: string, input = taken()): Uint8Array =>
  sidecarResources(input).listeners.get(name) as Uint8Array;
const listenerOf = (name: string, input = taken()): Listener =>
  fromBinary(ListenerSchema, bytesOf(name, input));

test("a proxy that takes its pod's connections holds together", () => {
  const resources = sidecarResources(taken());
  expect(inconsistencies(resources)).toEqual([]);
  expect([...resources.listeners.keys()]).toEqual(["inbound", "outbound"]);
});

test("outbound: neither back to itself, nor on to an address of the mesh that stands for nothing", () => {
  const { filterChains, defaultFilterChain, useOriginalDst } = listenerOf("outbound");
  expect(useOriginalDst).toBe(true);
  expect(filterChains.map(({ name }) => name)).toEqual(["loop", "unknown-vip"]);
  expect(filterChains[0]?.filterChainMatch?.destinationPort).toBe(15_001);
  expect(filterChains[1]?.filterChainMatch?.prefixRanges).toMatchObject([
    { addressPrefix: "10.251.0.0", prefixLen: 16 },
  ]);
  expect(defaultFilterChain?.name).toBe("pass");
});

test("inbound: the mesh's own port is mTLS or nothing, and no served port takes plain text", () => {
  const chains = listenerOf("inbound").filterChains.map(({ name, filterChainMatch, transportSocket }) => [
    name,
    filterChainMatch?.destinationPort,
    transportSocket !== undefined,
  ]);
  expect(chains).toEqual([
    ["inspect.proxy.eu.lab.hansa", 15_006, true],
    [expect.stringMatching(/^http\.pay\./), 15_006, true],
    [expect.stringMatching(/^tcp\.pay\./), 15_006, true],
    ["unknown-sni", 15_006, false],
    ["plain/5432", 5432, false],
    ["plain/8080", 8080, false],
    ["plain/15001", 15_001, false],
  ]);
});

test("inbound, permissive: neighbours alone are taken in plain text, and never as somebody", () => {
  const input = taken({}, ["10.64.0.0/16", "10.127.0.1/32"]);
  const resources = sidecarResources(input);
  expect(inconsistencies(resources)).toEqual([]);
  const inbound = listenerOf("inbound", input);
  const plain = inbound.filterChains.filter(({ transportSocket }) => transportSocket === undefined);
  expect(plain.map(({ name, filterChainMatch: match }) => [name, match?.sourcePrefixRanges.length])).toEqual([
    ["unknown-sni", 0],
    ["neighbour/5432", 2],
    ["plain/5432", 0],
    ["neighbour/8080", 2],
    ["plain/8080", 0],
    ["plain/15001", 0],
  ]);
  const spoilt = (change: (chain: FilterChain) => void): string => {
    const copy = listenerOf("inbound", input);
    for (const chain of copy.filterChains) if (chain.name.startsWith("neighbour/")) change(chain);
    const bytes = toBinary(ListenerSchema, copy);
    return inconsistencies({ ...resources, listeners: new Map([["inbound", bytes]]) }).join();
  };
  expect(spoilt(({ filterChainMatch }) => filterChainMatch?.sourcePrefixRanges.splice(0))).toMatch(
    /neighbour\/5432: an application takes plain text from everybody.*neighbour\/8080/,
  );
  expect(
    spoilt(({ filters }) => {
      const any = filters[0]?.configType.case === "typedConfig" ? filters[0].configType.value : undefined;
      const manager = any === undefined ? undefined : anyUnpack(any, HttpConnectionManagerSchema);
      if (any === undefined || manager === undefined) return;
      any.value = toBinary(HttpConnectionManagerSchema, { ...manager, forwardClientCertDetails: 1 });
    }),
  ).toContain("neighbour/8080: who shows no certificate could name himself");
});

test("what a proxy serves changes chains alone, never a listener itself", () => {
  for (const name of ["inbound", "outbound"])
    expect(compareListenerFrame(bytesOf(name), bytesOf(name, taken({ serving: [], views: [] })))).toEqual([]);
});

test("a listener that would pass on to itself is not served", () => {
  for (const name of ["inbound", "outbound"]) {
    const listener = listenerOf(name);
    const own =
      listener.address?.address.case === "socketAddress" ? listener.address.address.value : undefined;
    const port = own?.portSpecifier.case === "portValue" ? own.portSpecifier.value : 0;
    listener.filterChains = listener.filterChains.filter(
      ({ filterChainMatch: match, transportSocket }) =>
        match?.destinationPort !== port || transportSocket !== undefined,
    );
    const resources = sidecarResources(taken());
    const listeners = new Map([
      ...resources.listeners,
      [name, toBinary(ListenerSchema, create(ListenerSchema, listener))] as const,
    ]);
    expect(inconsistencies({ ...resources, listeners }).join()).toContain("passed on to itself");
  }
});

test.each(["http", "tcp"] as const)(
  "an address of a %s service binds nothing and leads there alone",
  (protocol) => {
    const bytes = vipListenerFor(view("pay", protocol), "10.251.0.9", true);
    const { name, bindToPort, filterChains } = fromBinary(ListenerSchema, bytes);
    expect([name, bindToPort, filterChains.length]).toEqual([
      `vip/10.251.0.9:${view("pay", protocol).port.port}`,
      false,
      1,
    ]);
    const gone = vipListenerFor(view("pay", protocol), "10.251.0.9", false);
    expect(compareListenerFrame(bytes, gone)).toEqual([]);
    expect(gone).not.toEqual(bytes);
  },
);
