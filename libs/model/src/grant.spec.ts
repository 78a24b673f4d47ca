import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressGranted, cidrWithin, namespaceGranted, parseAddress, parseCidr } from "./grant.ts";

describe("addresses", () => {
  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4 ",
    "a.b.c.d",
    "::1::",
    "1:2:3",
    ":::",
    "12345::",
    "::ffff:1.2.3.4",
    "::ffff:102:304",
    "fe80::1%eth0",
  ])("refuse %s", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("lie inside what covers them only", () => {
    const grant = { cidrs: ["10.1.0.0/16", "2001:db8::/32"] };
    expect(addressGranted("10.1.255.255", grant, false)).toBe(true);
    expect(addressGranted("10.2.0.0", grant, false)).toBe(false);
    expect(addressGranted("2001:db8:1::1", grant, false)).toBe(true);
    expect(addressGranted("2001:db9::1", grant, false)).toBe(false);
    expect(addressGranted("name.example", grant, false)).toBe(false);
  });

  it("of loopback, link-local, multicast and the like are granted in the lab only", () => {
    const grant = { cidrs: ["0.0.0.0/0", "::/0"] };
    for (const address of [
      "127.0.0.1",
      "169.254.1.1",
      "224.0.0.1",
      "255.255.255.255",
      "0.0.0.0",
      "::",
      "::1",
      "fe80::1",
      "ff02::1",
    ]) {
      expect(addressGranted(address, grant, false)).toBe(false);
      expect(addressGranted(address, grant, true)).toBe(true);
    }
  });

  it("agree with arithmetic", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), (a, b, prefix) => {
        const size = 2 ** (32 - prefix);
        const base = Math.floor(a / size) * size;
        const text = (bits: number): string =>
          [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join(".");
        const cidr = `${text(base)}/${prefix}`;
        expect(parseCidr(cidr)).toBeDefined();
        expect(addressGranted(text(b), { cidrs: [cidr] }, true)).toBe(b >= base && b < base + size);
      }),
    );
  });
});

describe("ranges", () => {
  it.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "10.0.0.0/08", "10.0.0.0/8/8", "::/129", "/8"])(
    "refuse %s",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  it("are within a range that is no narrower", () => {
    expect(cidrWithin("10.1.0.0/16", ["10.0.0.0/8"])).toBe(true);
    expect(cidrWithin("10.0.0.0/8", ["10.1.0.0/16"])).toBe(false);
    expect(cidrWithin("::/0", ["0.0.0.0/0"])).toBe(false);
    expect(cidrWithin("rubbish", ["0.0.0.0/0"])).toBe(false);
  });
});

describe("namespaces", () => {
  it("are granted by name or by `*`, the mesh's own never", () => {
    expect(namespaceGranted("shop", { namespaces: ["shop"] })).toBe(true);
    expect(namespaceGranted("bank", { namespaces: ["shop"] })).toBe(false);
    expect(namespaceGranted("bank", { namespaces: ["*"] })).toBe(true);
    expect(namespaceGranted("hansa-system", { namespaces: ["*", "hansa-system"] })).toBe(false);
    expect(namespaceGranted("*", { namespaces: ["*"] })).toBe(false);
  });
});
