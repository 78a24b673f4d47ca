import type { IpFamily } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClusterSetIps, RELEASED_REST_MS } from "./cluster-set-ips.ts";
import { addressAt, type IpPool, indexIn, isWithin, overlap, POOL_SIZE_MAX, parsePool } from "./ip-pool.ts";

const pool = (cidr: string): IpPool => {
  const parsed = parsePool(cidr);
  if (parsed === undefined) throw new Error(`no pool: ${cidr}`);
  return parsed;
};
const ips = (cidrs: readonly string[], isTaken: (address: string) => boolean = () => false): ClusterSetIps =>
  new ClusterSetIps({ pools: cidrs.map(pool), isTaken });
const BOTH: readonly IpFamily[] = ["IPv6", "IPv4"];

describe("a pool", () => {
  it("names its addresses both ways", () => {
    expect(addressAt(pool("10.250.0.0/16"), 0)).toBe("10.250.0.1");
    expect(addressAt(pool("10.250.0.0/16"), 65_533)).toBe("10.250.255.254");
    expect(addressAt(pool("fd00:0:0:1::/112"), 0)).toBe("fd00:0:0:1::1");
    expect(addressAt(pool("2001:db8::/120"), 9)).toBe("2001:db8::a");
    expect(addressAt(pool("2001:db8:0:1:1:1:1:0/112"), 0)).toBe("2001:db8:0:1:1:1:1:1");
    fc.assert(
      fc.property(
        fc.constantFrom("10.250.0.0/16", "fd00:10:250::/108", "192.0.2.0/30"),
        fc.nat(),
        (cidr, n) => {
          const index = n % pool(cidr).size;
          expect(indexIn(pool(cidr), addressAt(pool(cidr), index))).toBe(index);
        },
      ),
    );
  });

  it.each([
    ["10.0.0.0/30", 2],
    ["10.0.0.0/8", POOL_SIZE_MAX],
    ["fd00::/8", POOL_SIZE_MAX],
    ["fd00::/127", 1],
  ])("%s holds %i", (cidr, size) => expect(pool(cidr).size).toBe(size));

  it.each(["10.0.0.0/32", "10.0.0.0/31", "10.0.0.1/24", "fd00::/128", "x", ""])("%j is none", (cidr) => {
    expect(parsePool(cidr)).toBeUndefined();
  });

  it("knows who overlaps it", () => {
    expect(overlap("10.250.0.0/16", "10.250.8.0/24")).toBe(true);
    expect(overlap("10.250.8.0/24", "10.250.0.0/16")).toBe(true);
    expect(overlap("10.250.0.0/16", "10.251.0.0/16")).toBe(false);
    expect(overlap("0.0.0.0/0", "fd00::/8")).toBe(false);
    expect(isWithin("10.96.0.1", "10.96.0.0/12")).toBe(true);
    expect(isWithin("10.95.255.255", "10.96.0.0/12")).toBe(false);
  });
});

describe("cluster-set IPs", () => {
  it("come one per family, in the order of families", () => {
    const all = ips(["10.250.0.0/16", "fd00::/112"]);
    const { ips: addresses, ipFamilies } = all.assign("shop/pay", BOTH, 0);
    expect(ipFamilies).toEqual(BOTH);
    expect(addresses.map((address) => address.includes(":"))).toEqual([true, false]);
    expect(all.assign("shop/pay", ["IPv4", "IPv6"], 1).ips).toEqual(addresses.toReversed());
  });

  it("say which family has no pool and which pool is used up", () => {
    const all = ips(["192.0.2.0/30"]);
    expect(all.assign("a/a", BOTH, 0)).toMatchObject({
      ipFamilies: ["IPv4"],
      unsupported: ["IPv6"],
      exhausted: [],
    });
    all.assign("b/b", ["IPv4"], 0);
    expect(all.assign("c/c", ["IPv4"], 0)).toEqual({
      ips: [],
      ipFamilies: [],
      unsupported: [],
      exhausted: ["IPv4"],
    });
  });

  it("rest before another service gets them, and go back to the one that had them at once", () => {
    const all = ips(["192.0.2.0/30"]);
    const [first] = all.assign("a/a", ["IPv4"], 0).ips;
    all.assign("b/b", ["IPv4"], 0);
    all.release("a/a", 1000);
    expect(all.assign("c/c", ["IPv4"], 999 + RELEASED_REST_MS).exhausted).toEqual(["IPv4"]);
    expect(all.assign("a/a", ["IPv4"], 1001).ips).toEqual([first]);
    all.release("a/a", 2000);
    expect(all.assign("c/c", ["IPv4"], 2000 + RELEASED_REST_MS).ips).toEqual([first]);
  });

  it("are never an address that is taken, and move away from one that became so", () => {
    const taken = new Set<string>();
    const all = ips(["192.0.2.0/29"], (address) => taken.has(address));
    const [first = ""] = all.assign("a/a", ["IPv4"], 0).ips;
    taken.add(first);
    const [second] = all.assign("a/a", ["IPv4"], 1).ips;
    expect(second).not.toBe(first);
    expect(all.of("a/a")).toEqual([second]);
  });

  it("are restored where they still fit; of two that claim one address the first keeps it", () => {
    const all = ips(["192.0.2.0/24"], (address) => address === "192.0.2.9");
    all.restore("a/a", ["192.0.2.7"]);
    all.restore("b/b", ["192.0.2.7"]);
    all.restore("c/c", ["198.51.100.1", "nonsense"]);
    all.restore("d/d", ["192.0.2.9"]);
    expect(all.record()).toEqual({ "a/a": ["192.0.2.7"] });
    for (const key of ["b/b", "c/c", "d/d"]) expect(all.assign(key, ["IPv4"], 0).ips).toHaveLength(1);
    expect(new Set(Object.values(all.record()).flat()).size).toBe(4);
  });

  const step = fc.record({
    key: fc.constantFrom("a/a", "b/b", "c/c", "d/d"),
    does: fc.constantFrom("assign" as const, "release" as const, "restart" as const),
    families: fc.constantFrom<readonly IpFamily[]>(["IPv4"], ["IPv6"], BOTH),
    afterMs: fc.constantFrom(0, 1000, RELEASED_REST_MS),
  });

  it("stay over restarts, and nobody shares one or gets one that rests", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let all = ips(["192.0.2.0/29", "fd00::/125"]);
        const held = new Map<string, string>();
        const released = new Map<string, { key: string; atMs: number }>();
        let nowMs = 0;
        for (const { key, does, families, afterMs } of steps) {
          nowMs += afterMs;
          const before = new Map(
            all.of(key).map((address) => [address.includes(":") ? "IPv6" : "IPv4", address]),
          );
          if (does === "restart") {
            const record = all.record();
            all = ips(["192.0.2.0/29", "fd00::/125"]);
            for (const [name, addresses] of Object.entries(record)) all.restore(name, addresses);
            expect(all.record()).toEqual(record);
            released.clear();
          } else if (does === "release") {
            for (const address of all.of(key)) released.set(address, { key, atMs: nowMs });
            all.release(key, nowMs);
            expect(all.of(key)).toEqual([]);
          } else {
            const { ips: given, ipFamilies } = all.assign(key, families, nowMs);
            for (const [family, address] of before)
              if (!families.includes(family as IpFamily)) released.set(address, { key, atMs: nowMs });
            for (const [index, family] of ipFamilies.entries()) {
              const address = given[index]!;
              if (before.has(family)) expect(address).toBe(before.get(family));
              const rest = released.get(address);
              if (!before.has(family) && rest !== undefined && rest.key !== key)
                expect(nowMs - rest.atMs).toBeGreaterThanOrEqual(RELEASED_REST_MS);
              released.delete(address);
            }
          }
          held.clear();
          for (const [name, addresses] of Object.entries(all.record()))
            for (const address of addresses) {
              expect(held.get(address)).toBeUndefined();
              held.set(address, name);
            }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("come out the same from nothing for most services", () => {
    const names = Array.from({ length: 1000 }, (_, index) => `shop/svc-${index}`);
    const give = (order: readonly string[]): Map<string, string> => {
      const all = ips(["10.250.0.0/16"]);
      return new Map(order.map((key) => [key, all.assign(key, ["IPv4"], 0).ips[0]!]));
    };
    const one = give(names);
    const other = give(names.toReversed());
    expect(names.filter((key) => one.get(key) === other.get(key)).length).toBeGreaterThan(950);
  });
});
