import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyPatch, type InjectSettings, inject, type Pod } from "@hansa/inject";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { diffLines } from "./diff.ts";
import { action } from "./inject.ts";

const settings: InjectSettings = {
  cluster: "eu",
  proxyImage: "envoy",
  rulesImage: "hansa",
  agent: { host: "hansa-agent.hansa-system.svc", port: 15_010 },
  excludeOutboundCidrs: ["10.96.0.1/32"],
};
const template = {
  metadata: { labels: { app: "pay" } },
  spec: { containers: [{ name: "app", image: "pay" }] },
};
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "pay" },
  spec: { template },
};
const cron = { kind: "CronJob", metadata: { name: "tidy" }, spec: { jobTemplate: { spec: { template } } } };
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "pay" },
  spec: { ports: [{ port: 80 }] },
};

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hansa-inject-"));
  writeFileSync(join(dir, "settings.yaml"), stringify(settings));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function run(objects: readonly unknown[] | string, more: object = {}): Promise<string> {
  const text = typeof objects === "string" ? objects : objects.map((one) => stringify(one)).join("---\n");
  writeFileSync(join(dir, "in.yaml"), text);
  const options = { file: join(dir, "in.yaml"), settings: join(dir, "settings.yaml"), all: true, ...more };
  const result = await action({} as never, [], options as never);
  return (result as { text: () => string }).text();
}

it("puts into a workload's template what the webhook puts into its pods, and leaves the rest", async () => {
  const result = inject(template, { "hansa.dev/inject": "enabled" }, settings);
  if (result.kind !== "patch") throw new Error(result.kind);
  const pod = applyPatch(template as unknown as Pod, result.patch);
  const [first, second, third] = (await run([deployment, service, cron]))
    .split(/^---\n/m)
    .map((text): unknown => parse(text));
  expect(first).toEqual({ ...deployment, spec: { template: pod } });
  expect(second).toEqual(service);
  expect(third).toEqual({ ...cron, spec: { jobTemplate: { spec: { template: pod } } } });
});

it("done again changes nothing, and without --all only who asks for it", async () => {
  const once = await run([deployment]);
  expect(await run(once)).toBe(once);
  expect(parse(await run([deployment], { all: false }))).toEqual(deployment);
});

it("a diff shows what comes in, and nothing of what was there goes", async () => {
  const diff = await run([deployment, service], { diff: true });
  expect(diff).toContain("+        - name: hansa-rules");
  expect(diff).not.toMatch(/^-/m);
  expect(diffLines("a\nb\nc\n", "a\nB\nc\n")).toBe(" a\n-b\n+B\n c\n ".replace("-b\n+B", "+B\n-b"));
});

it("one pod that cannot have a sidecar is all that is said", async () => {
  const bad = {
    ...deployment,
    spec: { template: { ...template, spec: { ...template.spec, hostNetwork: true } } },
  };
  await expect(run([deployment, bad])).rejects.toMatchObject({
    code: "HSA7031",
    message: expect.stringContaining("Deployment pay: spec.hostNetwork"),
  });
});

it.each([
  ["not YAML", "a: [", {}, "HSA1004"],
  ["no object", "- 1", {}, "HSA1004"],
  ["no file", "", { file: undefined }, "HSA1001"],
  ["no settings", "", { settings: "/nowhere" }, "HSA1004"],
])("%s is refused", async (_what, text, more, code) => {
  await expect(run(text, more)).rejects.toMatchObject({ code });
});

it("settings that lack something are refused by name", async () => {
  writeFileSync(join(dir, "settings.yaml"), stringify({ ...settings, agent: {}, proxyImage: "" }));
  await expect(run([deployment])).rejects.toThrow(/proxyImage, agent/);
});
