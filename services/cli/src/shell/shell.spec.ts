/** Times, names, output and contexts on the command line. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { agentOf, loadContext, parseContext } from "./context.ts";
import { durationMs, durationOption, momentOption } from "./moment.ts";
import { clusterName, parseService, parseWorkload } from "./names.ts";
import { ago, parseFormat, printable, render, table } from "./output.ts";
import { wholeNumber } from "./program.ts";

const code = (text: string) => expect.objectContaining({ code: text });

describe("--at", () => {
  it.each([
    ["2026-11-23T02:15:00Z", "2026-11-23T02:15:00Z"],
    ["2026-11-23T02:15Z", "2026-11-23T02:15:00Z"],
    ["2026-11-23t02:15:00.123456z", "2026-11-23T02:15:00.123456Z"],
    ["2026-11-23T02:15:00+09:00", "2026-11-23T02:15:00+09:00"],
    ["5m", "5m"],
    ["500ms", "500ms"],
    ["1234", "1234"],
    [" 7d ", "7d"],
  ])("takes %s", (given, sent) => expect(momentOption("--at", given)).toBe(sent));
  it.each([
    "",
    "yesterday",
    "2026-11-23",
    "2026-13-23T00:00:00Z",
    "2026-11-23T02:15:00",
    "-5m",
    "5 m",
    "5w",
    "1.5h",
    "99999999999999999",
  ])("refuses %j", (given) => expect(() => momentOption("--at", given)).toThrow(code("HSA1008")));
  it("is optional", () => expect(momentOption("--at", undefined)).toBeUndefined());
});

describe("durations", () => {
  it("have a unit and bounds", () => {
    expect(durationMs("15m")).toBe(900_000);
    expect(durationMs("15")).toBeUndefined();
    expect(durationOption("--ttl", "2h", 1, 1e9)).toBe(7_200_000);
    expect(() => durationOption("--ttl", "2h", 1, 1000)).toThrow(code("HSA1001"));
    expect(() => durationOption("--ttl", "0s", 1, 1000)).toThrow(code("HSA1001"));
  });
  it("read well", () => {
    expect([0, 9900, 61_000, 3_600_000, 90_000_000, 1e9].map((ms) => ago(0, ms))).toEqual([
      "0.0s",
      "9.9s",
      "61s",
      "60m",
      "25h",
      "12d",
    ]);
    expect(ago(10, 0)).toBe("0.0s");
  });
});

describe("names", () => {
  it.each([
    ["pay", "shop", { namespace: "shop", name: "pay", port: undefined }],
    ["pay.bank", "shop", { namespace: "bank", name: "pay", port: undefined }],
    ["pay.bank:80", undefined, { namespace: "bank", name: "pay", port: "80" }],
    ["bank/pay:http", "shop", { namespace: "bank", name: "pay", port: "http" }],
  ])("service %s in %s", (given, namespace, read) => expect(parseService(given, namespace)).toEqual(read));
  it.each(["", "pay.a.b", "a/b.c", "a/b/c", "Pay", "pay:", ":80", "-pay", "pay..a", "pay/"])(
    "no service: %j",
    (given) => expect(() => parseService(given, "shop")).toThrow(code("HSA1001")),
  );
  it("needs a namespace from somewhere", () =>
    expect(() => parseService("pay", undefined)).toThrow(/shop\/pay, pay\.shop or -n shop/));
  it.each(["eu", "eu/shop", "eu/shop/web/x", "hub/shop/web", "EU/shop/web", "eu//web"])(
    "no workload: %j",
    (given) => expect(() => parseWorkload(given)).toThrow(code("HSA1001")),
  );
  it("knows reserved cluster names", () => {
    for (const name of ["hub", "gw", "pin", "", undefined, "a.b"])
      expect(() => clusterName(name)).toThrow(code("HSA1001"));
    expect(clusterName("eu-1")).toBe("eu-1");
  });
});

describe("output", () => {
  it("pads columns and ends lines without blanks", () => {
    expect(
      table(
        ["A", "LONG"],
        [
          ["xxx", null],
          [1, true],
        ],
      ),
    ).toBe("A    LONG\nxxx  -\n1    true\n");
  });
  it("carries apiVersion and kind in JSON and YAML", async () => {
    const result = { kind: "Thing", data: { items: [1] }, text: () => "text" };
    expect(JSON.parse(await render(result, "json"))).toEqual({
      apiVersion: "hansa/v1",
      kind: "Thing",
      items: [1],
    });
    expect(await render(result, "yaml")).toBe("apiVersion: hansa/v1\nkind: Thing\nitems:\n  - 1\n");
    expect(await render(result, "table")).toBe("text\n");
  });
  it("knows three formats", () => expect(() => parseFormat("xml")).toThrow(code("HSA1001")));
  it("lets no foreign escape sequence reach the terminal", () => {
    expect(printable("a\u001b[2Jb\u0007\u009bc\r\u202ed")).toBe("a\ufffd[2Jb\ufffd\ufffdc\ufffd\ufffdd");
    expect(printable("tab\tline\n\u001b[31m×\u001b[0m ü 日本")).toBe(
      "tab\tline\n\u001b[31m×\u001b[0m ü 日本",
    );
  });
  it("reads whole numbers strictly", () => {
    expect(wholeNumber("-n", "10", 0, 10)).toBe(10);
    for (const bad of ["", " ", "1.5", "1e3", "0x10", "11", "-1", "NaN"])
      expect(() => wholeNumber("-n", bad, 0, 10)).toThrow(code("HSA1001"));
  });
});

describe("a context", () => {
  const target = { url: "https://h:1", caPem: "PEM", token: "t" };
  const good = { federation: "lab.hansa", hub: target, agents: { eu: target }, operatorKeys: ["k"] };
  const folder = mkdtempSync(join(tmpdir(), "hansa-context-"));
  const file = join(folder, "context.json");
  afterEach(() => rmSync(file, { force: true }));

  it("is read, with HANSA_TOKEN in the place of the hub's", () => {
    expect(parseContext(JSON.stringify(good), "f")).toEqual({ ...good, file: "f" });
    expect(parseContext(JSON.stringify(good), "f", "mine").hub.token).toBe("mine");
    expect(parseContext(JSON.stringify(good), "f", "mine").agents.eu?.token).toBe("t");
  });
  it.each([
    ["", /JSON/],
    ["[]", /hub\.url|federation/],
    [JSON.stringify({ ...good, federation: 1 }), /federation/],
    [JSON.stringify({ ...good, hub: { ...target, url: "http://h" } }), /hub\.url/],
    [JSON.stringify({ ...good, hub: { ...target, token: undefined } }), /hub\.token/],
    [JSON.stringify({ ...good, agents: { eu: { ...target, caPem: 1 } } }), /agents\.eu\.caPem/],
    [JSON.stringify({ ...good, operatorKeys: "k" }), /operatorKeys/],
  ])("names the place that is wrong: %s", (text, place) => {
    expect(() => parseContext(text, "f")).toThrow(code("HSA1004"));
    expect(() => parseContext(text, "f")).toThrow(place);
  });
  it("must be there, and private", () => {
    expect(() => loadContext(file)).toThrow(code("HSA1012"));
    writeFileSync(file, JSON.stringify(good), { mode: 0o600 });
    expect(loadContext(file).federation).toBe("lab.hansa");
    chmodSync(file, 0o640);
    expect(() => loadContext(file)).toThrow(code("HSA3002"));
  });
  it("names the agents it knows", () => {
    const context = parseContext(JSON.stringify(good), "f");
    expect(agentOf(context, "eu")).toEqual(target);
    expect(() => agentOf(context, "us")).toThrow(/it knows eu/);
    expect(() => agentOf(context, "constructor")).toThrow(code("HSA1005"));
  });
});
