import { expect, it } from "vitest";
import { adminPlaceOf, envoyPlaceOf, type Looker } from "./admin-place.ts";
import type { LocalProxy } from "./inventory.ts";

const sockets = { adminPath: (id: string) => `/run/hansa/${id}.admin` };
const placeOf = (address: string) => adminPlaceOf({ id: "pay-1", address }, sockets, 15_000);

it("a proxy on a loopback address has its admin interface there", () => {
  expect(placeOf("127.16.1.10")).toEqual({ address: "127.16.1.10", port: 15_000 });
});

it.each(["10.7.0.11", "192.0.2.1", "2001:db8::1", "::1"])(
  "a proxy at %s has its admin interface on a socket, never on a network",
  (address) => {
    expect(placeOf(address)).toEqual({ path: "/run/hansa/pay-1.admin" });
  },
);

it("a pod's proxy is asked by the mesh's port as the agent, and must be who it is thought to be", () => {
  const looker = {
    config: { sidecar: { adminPort: 15_000 } },
    trustDomain: "eu.lab.hansa",
    sockets,
    svids: { get: (id: string) => ({ spiffeId: id, certPem: "C", keyPem: "K" }) },
    bundle: () => ({ trustDomain: "eu.lab.hansa", sequence: 1, roots: [] }),
  } as unknown as Looker;
  const proxy = { kind: "sidecar", id: "shop/pay-1", spiffeId: "spiffe://x", inboundPort: 15_006, pod: {} };
  const at = (address: string) => envoyPlaceOf({ ...proxy, address } as unknown as LocalProxy, looker);
  expect(at("127.0.0.1")).toMatchObject({
    address: "127.0.0.1",
    port: 15_006,
    sni: "inspect.proxy.eu.lab.hansa",
    expectedId: "spiffe://x",
    svid: { spiffeId: "spiffe://eu.lab.hansa/ns/hansa-system/sa/agent" },
  });
  expect(at("")).toBeUndefined();
});
