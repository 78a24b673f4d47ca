import { isPortKey, portKeyOf } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nameTooLong, parseSni, pinnedSni, probeSni, serviceSni } from "./sni.ts";

const FEDERATION = "lab.hansa";
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const cluster = label.filter((text) => !["hub", "gw", "pin", "probe", "svc"].includes(text));
const portKey = fc
  .record({ name: fc.oneof(fc.constant(""), label), port: fc.integer({ min: 1, max: 65535 }) })
  .filter(({ name }) => !name.includes("--"))
  .map(portKeyOf);

describe("server names", () => {
  it("decode to what they were made of", () => {
    fc.assert(
      fc.property(portKey, label, label, cluster, (port, service, namespace, name) => {
        expect(isPortKey(port)).toBe(true);
        expect(parseSni(serviceSni(port, service, namespace, FEDERATION), FEDERATION)).toEqual({
          kind: "service",
          portKey: port,
          service,
          namespace,
        });
        expect(parseSni(pinnedSni(port, service, namespace, name, FEDERATION), FEDERATION)).toEqual({
          kind: "pinned",
          portKey: port,
          service,
          namespace,
          cluster: name,
        });
        expect(parseSni(probeSni(name, FEDERATION), FEDERATION)).toEqual({ kind: "probe", cluster: name });
      }),
    );
  });

  it("are all different", () => {
    const parts = fc.tuple(portKey, label, label);
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        fc.pre(a.join("/") !== b.join("/"));
        expect(serviceSni(...a, FEDERATION)).not.toBe(serviceSni(...b, FEDERATION));
      }),
    );
  });

  it("are read without regard to case", () => {
    expect(parseSni("HTTP.Pay.Shop.svc.lab.hansa", FEDERATION)).toMatchObject({ service: "pay" });
  });

  it.each([
    "",
    "lab.hansa",
    "http.pay.shop.svc.other.hansa",
    "pay.shop.svc.lab.hansa",
    "http.pay.shop.lab.hansa",
    "x.http.pay.shop.svc.lab.hansa",
    "a--b.pay.shop.svc.lab.hansa",
    "p--0.pay.shop.svc.lab.hansa",
    "http.pay..svc.lab.hansa",
    "http.pay.shop.hub.pin.lab.hansa",
    "probe.hub.gw.lab.hansa",
    "*.pay.shop.svc.lab.hansa",
    `${"a".repeat(64)}.pay.shop.svc.lab.hansa`,
  ])("refuse %s", (text) => {
    expect(parseSni(text, FEDERATION)).toBeUndefined();
  });

  it("are refused at export where a label or the whole is too long", () => {
    const fits = nameTooLong("http", "a".repeat(63), "b".repeat(63), "eu", FEDERATION);
    expect(fits).toBeUndefined();
    const long = nameTooLong("http", "a".repeat(64), "shop", "eu", FEDERATION);
    expect(long).toMatchObject({ code: "HSA4004", reason: "NameTooLong" });
    expect(long?.message).toContain("64 characters");
    const whole = nameTooLong(
      "http",
      "a".repeat(63),
      "b".repeat(63),
      "c".repeat(63),
      `${"d".repeat(60)}.hansa`,
    );
    expect(whole?.message).toContain("at most 253");
  });

  it("never exceed what was checked", () => {
    const long = fc.stringMatching(/^[a-z0-9]{1,70}$/);
    fc.assert(
      fc.property(long, long, long, long, (service, namespace, name, domain) => {
        const federation = `${domain}.hansa`;
        if (nameTooLong("http", service, namespace, name, federation) !== undefined) return;
        const sni = pinnedSni("http", service, namespace, name, federation);
        expect(sni.length).toBeLessThanOrEqual(253);
        for (const part of [service, namespace]) expect(part.length).toBeLessThanOrEqual(63);
      }),
    );
  });
});
