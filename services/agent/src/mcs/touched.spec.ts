import { describe, expect, it } from "vitest";
import { Exports } from "./mcs.fixture.ts";
import { touchedImports } from "./touched.ts";

const fed = new Exports(["eu", "us"]).set("us", "pay", {}).set("us", "web", {});
const touched = (...keys: readonly string[]) =>
  touchedImports(
    keys.map((key) => ({ cluster: "eu", key })),
    fed,
    "eu",
  );
const names = (found: ReturnType<typeof touched>) =>
  found === "all" ? found : found.map(({ name }) => name);

describe("imports that a change concerns", () => {
  it("are its service, whatever is told of it twice", () => {
    expect(touched("service/shop/pay", "endpoint/shop/pay/10.0.0.1", "endpoint/shop/pay/10.0.0.2")).toEqual([
      { namespace: "shop", name: "pay" },
    ]);
  });

  it("are none where it is about routing", () => {
    const keys = [
      "load/shop/pay/http/a/b",
      "gateway/gw",
      "policy/allow/shop/x",
      "identity/shop/pay",
      "bundle",
    ];
    expect(touched(...keys)).toEqual([]);
  });

  it("are the peer's services for the own evidence of it, and nobody's for others'", () => {
    expect(names(touched("link/us"))).toEqual(["pay", "web"]);
    expect(touchedImports([{ cluster: "us", key: "link/us" }], fed, "eu")).toEqual([]);
  });

  it("are all where a membership changed", () => {
    expect(touched("service/shop/pay", "membership/us")).toBe("all");
  });
});
