import type { ClusterName, FederationName, SpiffeId, TrustDomain } from "@hansa/core";
import type { FederationReader, ServingPort } from "@hansa/model";
import { expect, test } from "vitest";
import { Fronts } from "./gateway-mode.ts";
import type { LocalProxy } from "./inventory.ts";

const ID = "spiffe://eu.lab.hansa/ns/shop/sa/default" as SpiffeId;
const fronted = (gatewayMode: boolean) =>
  new Fronts({
    federation: "lab.hansa" as FederationName,
    cluster: "eu" as ClusterName,
    trustDomain: "eu.lab.hansa" as TrustDomain,
    reader: { get: () => undefined, effective: () => undefined } as unknown as FederationReader,
    gatewayMode,
    svid: () => ({}) as never,
  });
const port = (more: Partial<ServingPort>): ServingPort =>
  ({ sni: "pay", namespace: "shop", service: "pay", exported: true, endpoints: [], ...more }) as ServingPort;
const plain = port({ plain: [{}] as unknown as NonNullable<ServingPort["plain"]> });

test("a gateway shows the identity of a service whose pods have no proxy, so its renewal concerns the gateway", () => {
  const mode = fronted(true);
  expect(mode.isOther("gw", [plain])).toBe(true);
  mode.take("gw", [plain]);
  expect(mode.isOther("gw", [plain])).toBe(false);
  expect(mode.shows("gw", ID)).toBe(true);
  expect(mode.shows("other", ID)).toBe(false);
  expect(mode.identities()).toEqual([ID]);
});

test("it stops where a pod of the port has a proxy, or the service is no longer exported", () => {
  const mode = fronted(true);
  mode.take("gw", [plain]);
  for (const other of [{ endpoints: [{}] as unknown as ServingPort["endpoints"] }, { exported: false }]) {
    const changed = port({ ...plain, ...other });
    expect(mode.isOther("gw", [changed])).toBe(true);
    mode.take("gw", [changed]);
    expect(mode.identities()).toEqual([]);
    mode.take("gw", [plain]);
  }
});

test("without gateway mode it ends nothing", () => {
  const mode = fronted(false);
  expect(mode.isOther("gw", [plain])).toBe(false);
  mode.take("gw", [plain]);
  expect(mode.identities()).toEqual([]);
  expect(mode.calls({ kind: "gateway" } as LocalProxy)).toBe(false);
  expect(mode.layerInput([plain], undefined, new Map())).toEqual({ serving: [plain] });
});
