/** Operator commands: keys, k-of-n signatures over a file, and who takes them. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { base64, HansaError } from "@hansa/core";
import { encodeCommand } from "@hansa/events";
import { newSigningKey } from "@hansa/identity";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeApi, items, nobody, type Routes, runCli, type World, world } from "../shell/api-fixture.ts";
import { FILE_BYTES_MAX, parseCommand } from "./command-file.ts";
import { parseOrder } from "./orders.ts";

const keys = [newSigningKey(), newSigningKey(), newSigningKey()];
const publicKeys = keys.map(({ signer }) => base64(signer.publicKey));
const FINGERPRINT = "ab".repeat(32);

const PAYLOAD = encodeCommand({
  fingerprint: FINGERPRINT,
  id: "x",
  atMs: 1,
  order: { do: "evict", cluster: "us" as never, incarnation: 4 },
});

const reads = (): Routes => ({
  "GET /v1/federation": {
    federation: "lab.hansa",
    fingerprint: FINGERPRINT,
    operators: { keys: publicKeys, threshold: 2 },
  },
  "GET /v1/clusters": items({ name: "us", account: "AUS", incarnation: 4, state: "active" }),
});

let hub: FakeApi;
let eu: FakeApi;
let here: World;
const pem = (index: number) => join(here.folder, `k${index}.pem`);
beforeEach(async () => {
  hub = await FakeApi.start({
    ...reads(),
    "POST /v1/commands": { accepted: true, at: { lane: "sum", epoch: 1, seq: 9 } },
  });
  eu = await FakeApi.start({ ...reads(), "POST /v1/commands": { id: "x", position: "eu/sum/2/3" } });
  here = await world(hub, { eu });
  keys.forEach(({ pkcs8 }, index) => {
    writeFileSync(pem(index), pkcs8, { mode: 0o600 });
  });
});
afterEach(() => here.end());

describe("parseOrder", () => {
  it("reads every order", () => {
    expect(parseOrder(" evict  us ")).toEqual({ do: "evict", cluster: "us" });
    expect(parseOrder(`rekey us ${publicKeys[0]}`)).toEqual({
      do: "rekey",
      cluster: "us",
      signingKey: publicKeys[0],
    });
    expect(parseOrder(`hubkey ${publicKeys[0]}`)).toEqual({ do: "hubkey", key: publicKeys[0] });
    expect(parseOrder(`operators 2 ${publicKeys.join(" ")}`)).toEqual({
      do: "operators",
      threshold: 2,
      keys: publicKeys,
    });
  });
  it.each([
    "",
    "evict",
    "evict us eu",
    "evict Hub",
    "evict hub",
    "hubkey short",
    `operators 4 ${publicKeys.join(" ")}`,
    `operators 0 ${publicKeys[0]}`,
    `operators 1 ${publicKeys[0]} ${publicKeys[0]}`,
  ])("refuses %j", (text) => {
    expect(() => parseOrder(text)).toThrow(expect.objectContaining({ code: "HSA1001" }));
  });
});

describe("operator key", () => {
  it("writes the private key with mode 0600, shows the public one, and never overwrites", async () => {
    const file = join(here.folder, "new.pem");
    const { json, stdout } = await runCli(["operator", "key", "--out", file, "-o", "json"]);
    expect(base64(Buffer.from(json.publicKey, "base64"))).toBe(json.publicKey);
    expect(Buffer.from(json.publicKey, "base64")).toHaveLength(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const secret = readFileSync(file, "utf8");
    expect(stdout).not.toContain(secret.split("\n")[1]);
    const again = await runCli(["operator", "key", "--out", file]);
    expect(again.stderr).toContain("HSA1004");
    expect(again.status).toBe(65);
    expect(readFileSync(file, "utf8")).toBe(secret);
  });
});

describe("operator sign", () => {
  it("collects signatures over a file until there are enough to send", async () => {
    const file = join(here.folder, "evict.json");
    const first = await here.run("operator", "sign", "--order", "evict us", "--key", pem(0), "--out", file);
    expect(first.status, first.stderr).toBe(0);
    const early = await here.run("operator", "send", file);
    expect(early.stderr).toContain("HSA3007");
    expect(early.stderr).toContain("1 of 2");
    expect(early.status).toBe(77);
    expect(hub.requests.filter(({ method }) => method === "POST")).toEqual([]);

    const again = await here.run("operator", "sign", file, "--key", pem(0));
    expect(again.json.signatures).toHaveLength(1);
    const second = await here.run("operator", "sign", file, "--key", pem(1));
    expect(second.json.signatures).toHaveLength(2);
    const sent = await here.run("operator", "send", file);
    expect(sent.json).toMatchObject({
      kind: "CommandSent",
      takenBy: "hub",
      order: { do: "evict", cluster: "us", incarnation: 4 },
    });
    expect(hub.requests.at(-1)).toMatchObject({
      path: "/v1/commands",
      body: { signatures: second.json.signatures },
    });
  });

  it("needs no network with --fingerprint and --incarnation", async () => {
    const { status, json, stderr } = await runCli([
      ...["operator", "sign", "--order", "drain us", "--key", pem(0), "-o", "json"],
      ...["--fingerprint", FINGERPRINT, "--incarnation", "7"],
    ]);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(json.payload)).toMatchObject({
      fingerprint: FINGERPRINT,
      order: { do: "drain", incarnation: 7 },
    });
  });

  it("names earlier commands to keep in an operators order", async () => {
    const kept = "cd".repeat(32);
    const order = `operators 1 ${publicKeys[2]}`;
    const { json } = await here.run("operator", "sign", "--order", order, "--key", pem(0), "--keep", kept);
    expect(JSON.parse(json.payload).order).toEqual({
      do: "operators",
      threshold: 1,
      keys: [publicKeys[2]],
      keeps: [kept],
    });
  });

  it.each([
    ["not JSON", "{"],
    ["another kind", JSON.stringify({ kind: "Else", payload: PAYLOAD, signatures: [] })],
    ["no signatures", JSON.stringify({ kind: "OperatorCommand", payload: "x" })],
    ["a torn payload", JSON.stringify({ kind: "OperatorCommand", payload: '{"order":', signatures: [] })],
  ])("refuses a file with %s and leaves it as it is", async (_what, content) => {
    const file = join(here.folder, "bad.json");
    writeFileSync(file, content);
    const { status, stderr, stdout } = await here.run("operator", "sign", file, "--key", pem(0));
    expect(stderr).toMatch(/HSA(1004|3007)/);
    expect(stdout).toBe("");
    expect([65, 77]).toContain(status);
    expect(readFileSync(file, "utf8")).toBe(content);
  });

  it("refuses keys that others may read, that are no keys, or that are not there", async () => {
    const open = join(here.folder, "open.pem");
    writeFileSync(open, keys[0]!.pkcs8, { mode: 0o644 });
    const junk = join(here.folder, "junk.pem");
    writeFileSync(junk, "junk", { mode: 0o600 });
    const codeOf = async (file: string) =>
      (await here.run("operator", "sign", "--order", "evict us", "--key", file)).stderr.match(
        /HSA\d{4}/,
      )?.[0];
    expect(await codeOf(open)).toBe("HSA3002");
    expect(await codeOf(junk)).toBe("HSA1004");
    expect(await codeOf(join(here.folder, "none.pem"))).toBe("HSA1004");
    const none = await here.run("operator", "sign", "--order", "evict us");
    expect(none.stderr).toContain("HSA1001");
    expect(none.status).toBe(64);
  });
});

it("a command's file is read up to its bound", () => {
  const text = JSON.stringify({ kind: "OperatorCommand", payload: PAYLOAD, signatures: [] });
  const told = (sizeBytes: number) => {
    try {
      parseCommand(text.padEnd(sizeBytes), "f");
      return "read";
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(told(FILE_BYTES_MAX)).toBe("read");
  expect(told(FILE_BYTES_MAX + 1)).toContain("too large");
});

describe("operator send", () => {
  const signed = async (order = "evict us") => {
    const file = join(here.folder, "signed.json");
    await here.run("operator", "sign", "--order", order, "--key", pem(0), "--key", pem(1), "--out", file);
    return file;
  };

  it("goes through any agent where the hub is silent, and through the one that is named", async () => {
    const file = await signed();
    const via = await here.run("operator", "send", file, "--via", "eu");
    expect(via.json).toMatchObject({ takenBy: "eu's agent", position: "eu/sum/2/3" });
    await hub.stop();
    const without = await here.run("operator", "send", file);
    expect(without.json.takenBy).toBe("eu's agent");
    hub = await FakeApi.start({});
  });

  it("does not go round a refusal", async () => {
    const file = await signed();
    hub.set({
      "POST /v1/commands": () => {
        throw new HansaError("HSA3002", "the token has viewer");
      },
    });
    const { status, stderr } = await here.run("operator", "send", file);
    expect(stderr).toContain("HSA3002");
    expect(status).toBe(77);
    expect(eu.requests.filter(({ method }) => method === "POST")).toEqual([]);
  });

  it("says HSA1012 where nobody takes it", async () => {
    const file = await signed();
    const alone = await world(await nobody(), { eu: await nobody() });
    const { status, stderr } = await alone.run("operator", "send", file);
    expect(stderr).toContain("HSA1012");
    expect(status).toBe(69);
    await alone.end();
  });
});
