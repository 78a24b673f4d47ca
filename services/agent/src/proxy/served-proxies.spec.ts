/** Whose resources are made, and who is waited for. */
import type { ResourceLayer } from "@hansa/xds";
import { beforeEach, expect, it } from "vitest";
import type { LocalProxy } from "./inventory.ts";
import { ServedProxies } from "./served-proxies.ts";

interface Opened {
  readonly id: string;
  readonly come: () => void;
  acked: number | undefined;
  isClosed: boolean;
}

let opened: Opened[];
let come: string[];
let served: ServedProxies;

beforeEach(() => {
  opened = [];
  come = [];
  served = new ServedProxies({
    serve: (proxy, _layers, _onAck, onCome) => {
      const server: Opened = { id: proxy.id, come: onCome, acked: undefined, isClosed: false };
      opened.push(server);
      return {
        ackedRevision: () => server.acked,
        status: () => undefined,
        close: async () => {
          server.isClosed = true;
        },
      };
    },
    sha256: (data) => data,
    layers: (_proxy, own) => [own, { revision: 7 } as ResourceLayer],
    onAnswer: () => {},
    onCome: (id) => come.push(id),
  });
});

const gateway = { kind: "gateway", id: "gateway/gw", zone: "a" } as LocalProxy;
const pod = (uid: string, zone = "a"): LocalProxy =>
  ({ kind: "sidecar", id: "shop/pay", zone, pod: { uid } }) as LocalProxy;
const keep = (...proxies: readonly LocalProxy[]): void =>
  served.keep(new Map(proxies.map((proxy) => [proxy.id, proxy])));

it("a gateway is awake; a pod's proxy sleeps until its Envoy comes", () => {
  keep(gateway, pod("u-1"));
  expect([...served.awake()]).toEqual(["gateway/gw"]);
  opened.find(({ id }) => id === "shop/pay")?.come();
  expect(come).toEqual(["shop/pay"]);
  expect(served.wake("shop/pay")).toBe(true);
  expect(served.wake("shop/pay")).toBe(false);
  expect([...served.awake()]).toEqual(["gateway/gw", "shop/pay"]);
  expect(served.wake("shop/nobody")).toBe(false);
});

it.each([
  ["the pod of the name is another one", pod("u-2")],
  ["it moved to another zone", pod("u-1", "b")],
])("where %s its server is another, and sleeps", (_what, after) => {
  keep(pod("u-1"));
  served.wake("shop/pay");
  keep(pod("u-1"));
  expect(opened).toHaveLength(1);
  keep(after);
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  expect([...served.awake()]).toEqual([]);
});

it("who is gone is closed and waited for no more", () => {
  keep(gateway, pod("u-1"));
  for (const server of opened) server.acked = 3;
  expect(served.acked(["gateway/gw", "shop/pay"])).toBe(3);
  opened[0]!.acked = 7;
  expect(served.acked(["gateway/gw"])).toBe(3);
  keep(gateway);
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([false, true]);
  expect(served.acked([])).toBe(Number.POSITIVE_INFINITY);
});
