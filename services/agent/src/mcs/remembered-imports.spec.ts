import type { ClusterName } from "@hansa/core";
import { expect, it } from "vitest";
import { ClusterSetIps } from "./cluster-set-ips.ts";
import { Imports } from "./imports.ts";
import { parsePool } from "./ip-pool.ts";
import { Exports } from "./mcs.fixture.ts";
import { RememberedImports } from "./remembered-imports.ts";

/** An agent that starts with `content` on its disk, while eu exports two services. */
function start(content?: string) {
  const files = new Map<string, Uint8Array>();
  if (content !== undefined) files.set("cluster-set-ips.json", Buffer.from(content));
  const disk = {
    read: (name: string) => files.get(name),
    write: (name: string, bytes: Uint8Array) => void files.set(name, bytes),
  };
  const fed = new Exports(["eu", "us"]);
  for (const name of ["pay", "web"]) fed.set("eu", name, {});
  const ips = new ClusterSetIps({ pools: [parsePool("10.250.0.0/16")!], isTaken: () => false });
  const imports = new Imports({
    input: { fed, importer: "us" as ClusterName, isLost: () => false },
    ips,
    isSynced: () => true,
    hasNamespace: () => true,
    monotonicMs: () => 0,
  });
  const remembered = new RememberedImports({ disk, ips, imports });
  return {
    fed,
    imports,
    remembered,
    written: () => Buffer.from(files.values().next().value ?? []).toString(),
  };
}
const PAY = '{"shop/pay":["10.250.0.9"]}';

it("recalls what was imported, and nothing else, while the logs go on", () => {
  const { fed, imports, remembered } = start(PAY);
  remembered.recall();
  expect([imports.get("shop", "pay")?.ips, imports.size]).toEqual([["10.250.0.9"], 1]);
  remembered.changed("all");
  remembered.changed([{ namespace: "shop", name: "web" }]);
  expect(imports.size).toBe(1);
  fed.set("eu", "pay", { export: null });
  remembered.changed([{ namespace: "shop", name: "pay" }]);
  expect(imports.size).toBe(0);
});

it("an address that a ServiceImport shows counts before one that was recalled", () => {
  const { imports, remembered } = start(PAY);
  remembered.recall();
  remembered.replaced([["shop/web", ["10.250.0.9"]]]);
  imports.refresh("all");
  expect(imports.get("shop", "web")?.ips).toEqual(["10.250.0.9"]);
  expect(imports.get("shop", "pay")?.ips).not.toEqual(["10.250.0.9"]);
});

it("writes names and addresses once they change", () => {
  const { imports, remembered, written } = start();
  remembered.record();
  expect(written()).toBe("");
  imports.refresh("all");
  remembered.record();
  expect(Object.keys(JSON.parse(written()))).toEqual(["shop/pay", "shop/web"]);
});

it.each(["", "{", "[]", '{"x":["y"],"shop/pay":7}'])(
  "with %j on its disk it starts as if it knew nothing",
  (content) => {
    const { imports, remembered } = start(content);
    remembered.recall();
    expect(imports.size).toBe(0);
  },
);
