import type { ClusterName } from "@hansa/core";
import type { RegisterRef } from "@hansa/model";
import { expect, test } from "vitest";
import { ClusterSetIps } from "./cluster-set-ips.ts";
import { CurrentImports } from "./current-imports.ts";
import { Imports } from "./imports.ts";
import { Exports } from "./mcs.fixture.ts";

const NAMESPACE = "shop";

function rig() {
  const fed = new Exports(["eu", "us"]);
  fed.set("eu", "pay", {});
  const lost = new Set<string>();
  let computed: unknown[] = [];
  const imports = new Imports({
    input: { fed, importer: "us" as ClusterName, isLost: (peer) => lost.has(peer) },
    ips: new ClusterSetIps({ pools: [], isTaken: () => false }),
    isSynced: () => true,
    hasNamespace: () => true,
    monotonicMs: () => 0,
  });
  const refresh = imports.refresh.bind(imports);
  imports.refresh = (services) => {
    computed.push(services === "all" ? "all" : services.map(({ name }) => name));
    return refresh(services);
  };
  const current = new CurrentImports(imports, fed, "us");
  const changed = (cluster: string, key: string) =>
    current.changed([{ cluster, key, lane: "sum", type: "" } as RegisterRef]);
  const seen = () => {
    const since = computed;
    computed = [];
    return since;
  };
  return { fed, lost, current, changed, seen, get: (name: string) => current.get(NAMESPACE, name) };
}

test("what changed is computed at the next read, once, and nothing else", () => {
  const { fed, changed, seen, get } = rig();
  expect(get("pay")?.clusters).toHaveLength(1);
  expect(seen()).toEqual(["all"]);
  const before = get("pay");
  expect([get("pay") === before, seen()]).toEqual([true, []]);
  fed.set("us", "pay", {});
  fed.set("eu", "web", {});
  changed("us", "service/shop/pay");
  changed("us", "service/shop/pay");
  changed("eu", "service/shop/web");
  expect(seen()).toEqual([]);
  expect(get("pay")?.clusters).toHaveLength(2);
  expect(get("web")?.clusters).toHaveLength(1);
  expect(seen()).toEqual([["pay", "web"]]);
});

test("registers that no import depends on cost nothing", () => {
  const { changed, seen, get } = rig();
  get("pay");
  seen();
  for (const key of [
    "load/shop/pay/http/r/z",
    "identity/shop/pay",
    "policy/allow/shop/x",
    "bundle",
    "want/us",
  ])
    changed("eu", key);
  changed("eu", "link/us");
  get("pay");
  expect(seen()).toEqual([]);
});

test("own evidence of a peer touches what it exports, a membership everything", () => {
  const { lost, changed, seen, get, current } = rig();
  get("pay");
  seen();
  lost.add("eu");
  changed("us", "link/eu");
  expect(get("pay")?.clusters[0]?.reachable).toBe(false);
  changed("hub", "membership/eu");
  expect(current.hasNamespace(NAMESPACE)).toBe(true);
  expect(seen()).toEqual([["pay"], "all"]);
});
