/** Wrong usage of every command, and what the program itself promises. */
import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildProgram } from "./main.ts";
import { runCli } from "./shell/api-fixture.ts";

const KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/** Command → wrong ways to call it. None of them gets as far as reading a context. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  status: ["status extra", "status --nope", "status -o xml", "status --at"],
  get: [
    "get",
    "get nonsense",
    "get clusters extra",
    "get clusters -n shop",
    "get services -n UPPER",
    "get links --cluster hub",
  ],
  "describe service": [
    "describe",
    "describe service",
    "describe service pay",
    "describe service a/b/c",
    "describe pod x",
    "describe service Shop/Pay",
  ],
  explain: ["explain rout", "explain HSA1", "explain HSA1001 extra"],
  "explain route": [
    "explain route",
    "explain route eu/shop/web",
    "explain route eu/web pay",
    "explain route eu/shop/web PAY",
    "explain route eu/shop/web pay --zone A_b",
  ],
  "explain access": [
    "explain access",
    "explain access eu/shop/web pay",
    "explain access spiffe://eu.lab.hansa/ns/shop/sa/web",
    "explain access spiffe://eu.lab.hansa/x pay",
    "explain access spiffe://eu.lab.hansa/ns/shop/sa/web a.b.c",
  ],
  events: [
    "events extra",
    "events --limit 0",
    "events --limit 1000",
    "events --limit many",
    "events --source Hub!",
  ],
  "proxy status": ["proxy", "proxy status eu/..", "proxy status EU", "proxy status a b"],
  "proxy config": ["proxy config", "proxy config eu", "proxy config eu/gateway/gw --type nonsense"],
  "proxy diff": ["proxy diff", "proxy diff eu"],
  check: ["check extra", "check --category nonsense", "check --category hub,"],
  wait: [
    "wait",
    "wait --position us/sum/1",
    "wait --position us/none/1/2",
    "wait --position us/sum/1/x",
    "wait --position us/sum/1/2 --timeout soon",
  ],
  want: ["want", "want UPPER", "want us eu"],
  inject: ["inject", "inject -f x.yaml", "inject x.yaml"],
  "cluster list": ["cluster", "cluster list extra"],
  "cluster token": [
    "cluster token",
    "cluster token hub --region r --cidrs 10.0.0.0/8",
    "cluster token tokyo",
    "cluster token tokyo --region r",
    "cluster token tokyo --region r --cidrs ten",
    "cluster token tokyo --region r --cidrs 10.0.0.0/8 --ttl 8d",
    "cluster token tokyo --region r --cidrs 10.0.0.0/8 --namespaces Shop",
  ],
  "cluster join": ["cluster join", "cluster join extra", "cluster join --token x --timeout never"],
  "cluster drain": [
    "cluster drain",
    "cluster drain UPPER",
    "cluster drain us eu",
    "cluster drain us --timeout 1",
    "cluster drain us --nope",
  ],
  "cluster undrain": ["cluster undrain", "cluster undrain hub"],
  "cluster evict": ["cluster evict", "cluster evict --key a"],
  "cluster leave": ["cluster leave", "cluster leave us --timeout x", "cluster leave gw"],
  "operator key": ["operator", "operator key extra", "operator key --out"],
  "operator sign": [
    "operator sign",
    'operator sign file --order "evict us"',
    "operator sign --order",
    "operator sign --order explode",
    "operator sign --order evict",
    "operator sign --order hubkey",
    `operator sign --order operators --key ${KEY}`,
  ],
  "operator send": ["operator send", "operator send a b"],
  "lab up": ["lab", "lab up extra", "lab up --clusters none"],
  "lab down": ["lab down extra"],
  completion: ["completion", "completion tcsh"],
  "lab status": ["lab status extra"],
  "lab start": ["lab start"],
  "lab stop": ["lab stop"],
  "lab kill": ["lab kill"],
  "lab pause": ["lab pause"],
  "lab resume": ["lab resume"],
  "lab scale": ["lab scale", "lab scale eu/shop/pay", "lab scale eu/pay 1", "lab scale eu/shop/pay some"],
  "lab call": ["lab call", "lab call eu/shop/web", "lab call eu/web pay", "lab call eu/shop/web PAY"],
  "lab creds": ["lab creds", "lab creds eu/shop", "lab creds eu/shop/web"],
  "lab topology": ["lab topology extra", "lab topology --nope"],
};

/** Words of a line, quotes kept together. */
const words = (line: string): string[] =>
  (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));

let before: NodeJS.ProcessEnv;
beforeEach(() => {
  before = { ...process.env };
  process.env.HANSA_CONTEXT = "/nonexistent/context.json";
  process.env.HANSA_LAB_STATE = "/nonexistent/lab";
  delete process.env.HANSA_JOIN_TOKEN;
});
afterEach(() => {
  process.env = before;
});

describe("wrong usage", () => {
  it.each(Object.values(WRONG).flat())("hansa %s: exit 64, HSA1001, nothing on stdout", async (line) => {
    const { status, stdout, stderr } = await runCli(words(line));
    expect(stderr).toContain("error HSA1001 (usage):");
    expect(stdout).toBe("");
    expect(status).toBe(64);
  });

  it("is tested for every command", async () => {
    const leaves = (command: Command, path: string): string[] => {
      const below = command.commands.flatMap((child) => leaves(child, `${path} ${child.name()}`.trim()));
      // `explain` is a command and has commands below it.
      return command.commands.length === 0 || command.registeredArguments.length > 0
        ? [path, ...below]
        : below;
    };
    expect(Object.keys(WRONG).sort()).toEqual(leaves(await buildProgram(undefined), "").sort());
  });

  it.each([
    ["statsu", "status"],
    ["cluster evcit us", "evict"],
    ["exlpain HSA1001", "explain"],
  ])("hansa %s: suggests %s", async (line, suggestion) => {
    const { status, stderr } = await runCli(words(line));
    expect(stderr).toContain(`Did you mean ${suggestion}?`);
    expect(status).toBe(64);
  });
});

describe("the program", () => {
  it("prints help to stdout without arguments and with --help", async () => {
    for (const args of [[], ["--help"]]) {
      const { status, stdout, stderr } = await runCli(args);
      expect(stdout).toContain("Usage: hansa");
      for (const word of ["status", "cluster", "operator", "lab", "explain"]) expect(stdout).toContain(word);
      expect(stderr).toBe("");
      expect(status).toBe(0);
    }
  });

  it("prints its version", async () => {
    const { status, stdout } = await runCli(["--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(status).toBe(0);
  });

  it("gives every command -o and a help text with its usage", async () => {
    for (const line of Object.keys(WRONG)) {
      const { status, stdout } = await runCli([...words(line), "--help"]);
      expect(stdout, line).toContain("--output <format>");
      expect(status, line).toBe(0);
    }
  });

  it("says HSA1012 with exit 69 where there is no context", async () => {
    for (const line of ["status", "get clusters", "check", "cluster list", "want us", "cluster evict us"]) {
      const { status, stdout, stderr } = await runCli(words(line));
      expect(stderr, line).toContain("error HSA1012 (unreachable)");
      expect(stdout, line).toBe("");
      expect(status, line).toBe(69);
    }
  });

  it("refuses a time that is none with HSA1008", async () => {
    for (const line of [
      "status --at yesterday",
      "get clusters --at -5m",
      "events --since 2026-13-01T00:00:00Z",
    ]) {
      const { status, stderr } = await runCli(words(line));
      expect(stderr, line).toContain("error HSA1008 (bad-time)");
      expect(status, line).toBe(65);
    }
  });

  it("explains codes without any network", async () => {
    const one = await runCli(["explain", "hsa4001", "-o", "json"]);
    expect(one.json).toMatchObject({
      apiVersion: "hansa/v1",
      kind: "Code",
      code: "HSA4001",
      name: "unreachable-gateway",
    });
    const all = await runCli(["explain", "-o", "json"]);
    expect(all.json.items.length).toBeGreaterThan(50);
    const none = await runCli(["explain", "HSA9999"]);
    expect(none.stderr).toContain("error HSA1007");
    expect(none.status).toBe(65);
  });
});
