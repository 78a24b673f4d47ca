import type { Caller } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { League, NAMESPACE } from "../view/league.fixture.ts";
import { servingPorts } from "../view/serving-ports.ts";
import { decideAccess } from "./access.ts";
import { admits, allowsBy, callersOf } from "./callers.ts";
import { explainAccess } from "./explain-access.ts";

const id = (cluster: string, namespace: string, account: string): string =>
  `spiffe://${cluster}.lab.hansa/ns/${namespace}/sa/${account}`;

function league(): League {
  const fed = new League().admit("ap").admit("eu").admit("us");
  for (const cluster of ["ap", "eu", "us"])
    for (const [namespace, account] of [
      ["shop", "web"],
      ["bank", "teller"],
      ["hansa-system", "agent"],
    ] as const)
      fed.set(cluster, `identity/${namespace}/${account}`, { spiffeId: id(cluster, namespace, account) });
  return fed.serve("eu", "pay").serve("us", "pay");
}

const allow = (
  fed: League,
  exporter: string,
  from: readonly Caller[],
  name = "web-pay",
  service = "pay",
): League => fed.set(exporter, `policy/allow/${NAMESPACE}/${name}`, { service, from });

const callers = (fed: League, exporter = "us") =>
  callersOf(allowsBy({ fed, observer: exporter }, exporter), NAMESPACE, "pay").map(
    ({ kind, value }) => `${kind} ${value}`,
  );

const caller = (cluster: string, namespace: string, serviceAccount: string): Caller => ({
  cluster,
  namespace,
  serviceAccount,
});

describe("callers of an exported service", () => {
  it("are nobody without a policy", () => {
    expect(callers(league())).toEqual([]);
  });

  it("are exact ids and whole namespaces, of present members only", () => {
    const fed = league();
    expect(callers(allow(fed, "us", [caller("eu", "shop", "web")]))).toEqual([
      `exact ${id("eu", "shop", "web")}`,
    ]);
    expect(callers(allow(fed, "us", [caller("eu", "shop", "*")]))).toEqual([
      "prefix spiffe://eu.lab.hansa/ns/shop/",
    ]);
    allow(fed, "us", [caller("*", "shop", "web")]);
    expect(callers(fed)).toEqual(["ap", "eu", "us"].map((cluster) => `exact ${id(cluster, "shop", "web")}`));
    fed.admit("eu", { state: "evicted" });
    expect(callers(fed)).toEqual(["ap", "us"].map((cluster) => `exact ${id(cluster, "shop", "web")}`));
    expect(callers(allow(fed, "us", [caller("nobody", "shop", "web")]))).toEqual([]);
  });

  it("by `*` never include the mesh's own namespace", () => {
    const fed = allow(league(), "us", [caller("eu", "*", "*")]);
    expect(callers(fed)).toEqual([
      "prefix spiffe://eu.lab.hansa/ns/bank/",
      "prefix spiffe://eu.lab.hansa/ns/shop/",
    ]);
    expect(callers(allow(fed, "us", [caller("eu", "*", "agent")]))).toEqual([]);
    expect(callers(allow(fed, "us", [caller("eu", "hansa-system", "*")]))).toEqual([]);
    expect(callers(allow(fed, "us", [caller("eu", "*", "teller")]))).toEqual([
      `exact ${id("eu", "bank", "teller")}`,
    ]);
    allow(fed, "us", [caller("eu", "hansa-system", "gateway")]);
    expect(callers(fed)).toEqual([`exact ${id("eu", "hansa-system", "gateway")}`]);
  });

  it("come from every policy of the service, once, and from no other's", () => {
    const fed = league();
    allow(fed, "us", [caller("eu", "shop", "web")], "b").serve("us", "cart");
    allow(fed, "us", [caller("ap", "shop", "web"), caller("eu", "shop", "web")], "a");
    allow(fed, "us", [caller("eu", "bank", "teller")], "c", "cart");
    allow(fed, "eu", [caller("us", "shop", "web")], "d");
    expect(callers(fed)).toEqual([`exact ${id("ap", "shop", "web")}`, `exact ${id("eu", "shop", "web")}`]);
    expect(servingPorts(fed, "us").find(({ service }) => service === "cart")?.callers).toEqual([
      { kind: "exact", value: id("eu", "bank", "teller") },
    ]);
  });

  it("with whole namespaces do not reach into namespaces that begin alike", () => {
    const fed = allow(league(), "us", [caller("eu", "shop", "*")]);
    const [principal] = callersOf(allowsBy({ fed, observer: "us" }, "us"), NAMESPACE, "pay");
    expect(admits(principal!, id("eu", "shop", "x"))).toBe(true);
    expect(admits(principal!, id("eu", "shop-evil", "x"))).toBe(false);
    expect(admits(principal!, id("eu2", "shop", "x"))).toBe(false);
  });
});

describe("access", () => {
  it("is denied by default across clusters and given inside one", () => {
    const fed = league();
    const decision = decideAccess(fed, id("eu", "shop", "web"), NAMESPACE, "pay");
    expect(decision).toMatchObject({ verdict: "allow", by: "own trust domain" });
    expect(decision.message).toBe("eu admits its own trust domain; refused by us");
    expect(decision.exporters).toMatchObject([
      { cluster: "eu", verdict: "allow" },
      { cluster: "us", verdict: "deny", by: "default deny" },
    ]);
    expect(decideAccess(fed, id("ap", "shop", "web"), NAMESPACE, "pay")).toMatchObject({
      verdict: "deny",
      by: "default deny",
      message: "eu has no allow policy for this service; other clusters are denied by default",
    });
  });

  it("is given by a policy of the exporter, which is named", () => {
    const fed = allow(league(), "us", [caller("ap", "shop", "web")]);
    expect(explainAccess(fed, id("ap", "shop", "web"), NAMESPACE, "pay")).toMatchObject({
      verdict: "allow",
      by: "policy shop/web-pay",
      exporters: [
        { cluster: "eu", verdict: "deny" },
        {
          cluster: "us",
          verdict: "allow",
          because: [{ register: "us/sum/policy/allow/shop/web-pay", position: { epoch: 1 } }],
        },
      ],
    });
    expect(decideAccess(fed, id("ap", "shop", "other"), NAMESPACE, "pay").message).toContain(
      "eu has no allow policy",
    );
  });

  it("is denied with the reason to strangers, rubbish and services that are not there", () => {
    const fed = league().admit("ap", { state: "left" });
    expect(decideAccess(fed, id("ap", "shop", "web"), NAMESPACE, "pay")).toMatchObject({
      verdict: "deny",
      by: "membership",
    });
    expect(decideAccess(fed, "spiffe://eu.lab.hansa/x", NAMESPACE, "pay")).toMatchObject({
      verdict: "deny",
      by: "identity",
    });
    expect(decideAccess(fed, id("eu", "shop", "web"), NAMESPACE, "none")).toMatchObject({
      verdict: "deny",
      by: "no exporter",
    });
    fed.serve("us", "hidden", { exported: false });
    expect(decideAccess(fed, id("eu", "shop", "web"), NAMESPACE, "hidden")).toMatchObject({
      verdict: "deny",
      by: "no exporter",
    });
  });

  it("tells the mesh's own identities why `*` does not admit them", () => {
    const fed = allow(new League().admit("eu").admit("us").serve("us", "pay"), "us", [
      caller("eu", "*", "*"),
    ]);
    const decision = decideAccess(fed, id("eu", "hansa-system", "agent"), NAMESPACE, "pay");
    expect(decision).toMatchObject({ verdict: "deny" });
    expect(decision.message).toContain("never admitted by `*`");
  });

  it("never exceeds what some caller of a policy names", () => {
    const name = fc.constantFrom("shop", "bank", "hansa-system", "web", "teller", "agent", "*");
    const cluster = fc.constantFrom("ap", "eu", "us", "*", "nobody");
    const from = fc.array(fc.record({ cluster, namespace: name, serviceAccount: name }), { maxLength: 3 });
    const concrete = name.filter((text) => text !== "*");
    fc.assert(
      fc.property(from, fc.constantFrom("ap", "eu"), concrete, concrete, (list, home, namespace, account) => {
        const fed = allow(league(), "us", list);
        const { exporters } = decideAccess(fed, id(home, namespace, account), NAMESPACE, "pay");
        const at = exporters.find(({ cluster: exporter }) => exporter === "us");
        const fits = (pattern: string, text: string): boolean => pattern === "*" || pattern === text;
        const named = list.some(
          (one) =>
            fits(one.cluster, home) &&
            fits(one.namespace, namespace) &&
            fits(one.serviceAccount, account) &&
            (namespace !== "hansa-system" || (one.namespace === namespace && one.serviceAccount === account)),
        );
        if (at?.verdict === "allow") expect(named).toBe(true);
      }),
    );
  });
});
