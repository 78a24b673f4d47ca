import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isHansaError } from "@hansa/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { ownUrlOf, readConfig } from "./config.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = {
  dir: "keys",
  postgres: { url: "postgres://localhost/hansa" },
  nats: { servers: ["nats://127.0.0.1:4222"] },
  api: { host: "127.0.0.1", port: 8443, hosts: ["127.0.0.1"] },
};

function fileOf(content: unknown): string {
  const file = join(folder, "hub.yaml");
  writeFileSync(file, typeof content === "string" ? content : stringify(content));
  return file;
}

function problemOf(content: unknown): string {
  try {
    readConfig(fileOf(content));
    return "";
  } catch (error) {
    return isHansaError(error) ? error.toString() : `unexpected ${String(error)}`;
  }
}

test("fills in defaults, takes the folder from the file's place and the URL from the environment", () => {
  const config = readConfig(fileOf(good), { HANSA_POSTGRES_URL: "postgres://elsewhere/x" });
  expect(config.dir).toBe(join(folder, "keys"));
  expect(config.postgres.url).toBe("postgres://elsewhere/x");
  expect(config.nats.sourcesMax).toBeGreaterThan(1);
});

test.each([
  ["127.0.0.1", undefined, "https://127.0.0.1:8443"],
  ["0.0.0.0", undefined, ""],
  ["::", undefined, ""],
  ["0.0.0.0", "10.1.2.3", "https://10.1.2.3:8443"],
  ["::", "fd00::7", "https://[fd00::7]:8443"],
])("a replica that listens on %s and is %s is reached at %j", (host, ownHost, url) => {
  const file = fileOf({ ...good, api: { ...good.api, host } });
  expect(ownUrlOf(readConfig(file, { HANSA_API_OWN_HOST: ownHost }))).toBe(url);
});

test.each([
  ["{", "hub.yaml"],
  ["", "(file)"],
  [{ ...good, colour: "red" }, "colour"],
  [{ ...good, postgres: {} }, "postgres.url"],
  [{ ...good, nats: { servers: [] } }, "nats.servers"],
  [{ ...good, nats: { servers: ["http://x"] } }, "nats.servers.0"],
  [{ ...good, api: { ...good.api, port: 0 } }, "api.port"],
  [{ ...good, api: { ...good.api, ownHost: "10.1.2.3:8443" } }, "api.ownHost"],
  [{ ...good, api: { ...good.api, ownHost: "me@elsewhere/" } }, "api.ownHost"],
])("names the place of a mistake: %j", (content, place) => {
  const problem = problemOf(content);
  expect(problem).toContain("HSA1004");
  expect(problem).toContain(place);
});

test("a file that is not there is named", () => {
  expect(() => readConfig(join(folder, "none.yaml"))).toThrow(/none\.yaml/);
});
