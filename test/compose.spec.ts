/** docker-compose.yml against the rest of the repository. There is no Docker here: what can be checked without is. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../services/agent/src/config.ts";

const root = new URL("..", import.meta.url).pathname;
const text = (path: string): string => readFileSync(join(root, path), "utf8");

interface Service {
  readonly build?: { readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
}

const compose = parse(text("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);

test("every file, volume and service that is named exists", () => {
  for (const [, service] of services) {
    if (service.build) expect(existsSync(join(root, service.build.dockerfile))).toBe(true);
    const scripts = [...(service.command ?? []), ...(service.entrypoint ?? [])].map((word) =>
      word.replace(/^\/app\//, ""),
    );
    for (const word of scripts.filter((word) => /^(services|deploy)\//.test(word)))
      expect([word, existsSync(join(root, word))]).toEqual([word, true]);
    for (const volume of service.volumes ?? []) {
      const [source = ""] = volume.split(":");
      const isKnown = source.startsWith("./")
        ? existsSync(join(root, source))
        : Object.hasOwn(compose.volumes, source);
      expect([volume, isKnown]).toEqual([volume, true]);
    }
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services[name]).toBeDefined();
      if (condition === "service_healthy")
        expect([name, compose.services[name]?.healthcheck !== undefined]).toEqual([name, true]);
    }
  }
});

test("hub, NATS, Postgres, one agent and its gateway are there", () => {
  expect(services.map(([name]) => name)).toEqual(
    expect.arrayContaining(["hub", "nats", "postgres", "agent", "gateway"]),
  );
});

test("the agent takes its configuration", () => {
  const config = parseConfig(text("deploy/compose/agent.yaml"), "agent.yaml");
  expect(config).toMatchObject({ cluster: "home", cidrs: ["172.30.7.0/24"] });
});
