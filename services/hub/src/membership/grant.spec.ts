import { isHansaError } from "@hansa/core";
import type { Grant } from "@hansa/events";
import { describe, expect, test } from "vitest";
import { checkGrant, narrow, QUOTAS_DEFAULT } from "./grant.ts";

const grant = (more: Partial<Grant> = {}): Grant => ({
  namespaces: ["shop"],
  cidrs: ["10.1.0.0/16"],
  region: "r",
  zones: ["a"],
  network: "",
  claims: [],
  quotas: QUOTAS_DEFAULT,
  ...more,
});

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "no error";
  } catch (error) {
    return isHansaError(error) ? error.code : String(error);
  }
};

describe("a grant", () => {
  test("is never more than the token's, nor more than what was asked for", () => {
    const wanted = grant({
      namespaces: ["shop", "bank"],
      cidrs: ["10.1.2.0/24", "10.2.0.0/24"],
      zones: ["a", "b"],
    });
    expect(narrow(grant(), wanted)).toMatchObject({
      namespaces: ["shop"],
      cidrs: ["10.1.2.0/24"],
      zones: ["a"],
    });
    expect(narrow(grant({ namespaces: ["*"] }), wanted).namespaces).toEqual(["shop", "bank"]);
    expect(narrow(grant(), grant({ namespaces: ["*"] })).namespaces).toEqual(["shop"]);
    expect(narrow(grant(), grant({ claims: ["hw"] })).claims).toEqual([]);
    const large = { ...QUOTAS_DEFAULT, services: 1_000_000 };
    expect(narrow(grant(), grant({ quotas: large })).quotas.services).toBe(QUOTAS_DEFAULT.services);
  });

  test("does not move a cluster to another region or network", () => {
    expect(codeOf(() => narrow(grant(), grant({ region: "s" })))).toBe("HSA3006");
    expect(codeOf(() => narrow(grant(), grant({ network: "flat" })))).toBe("HSA3006");
  });

  test("never holds the system namespace", () => {
    expect(codeOf(() => checkGrant(grant({ namespaces: ["hansa-system"] }), true))).toBe("HSA1004");
    expect(narrow(grant({ namespaces: ["*"] }), grant({ namespaces: ["hansa-system"] })).namespaces).toEqual(
      [],
    );
  });

  test.each([
    "127.0.0.0/8",
    "127.5.0.0/16",
    "169.254.1.0/24",
    "224.0.0.0/8",
    "::1/128",
    "fe80::/64",
    "ff02::/16",
  ])("holds %s only in a lab", (cidr) => {
    expect(codeOf(() => checkGrant(grant({ cidrs: [cidr] }), false))).toBe("HSA1004");
    expect(codeOf(() => checkGrant(grant({ cidrs: [cidr] }), true))).toBe("no error");
  });

  test.each(["10.0.0.1/8", "10.0.0.0", "x", "10.0.0.0/33"])("refuses the range %s", (cidr) => {
    expect(codeOf(() => checkGrant(grant({ cidrs: [cidr] }), true))).toBe("HSA1004");
  });
});
