/** `hansa inject -f FILE`: sidecars for GitOps. Every pod of the file is injected, or nothing is printed at all. */
import { readFileSync } from "node:fs";
import { HansaError } from "@hansa/core";
import { applyPatch, ENABLED, INJECT, type InjectSettings, inject, type Pod } from "@hansa/inject";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { Action } from "../shell/program.ts";
import { diffLines } from "./diff.ts";
import { podPlaceOf } from "./workloads.ts";

type Json = Readonly<Record<string, unknown>>;

export const action: Action = async (_shell, _args, options) => {
  const file = fileOf(options.file, "--file");
  const settings = readSettings(fileOf(options.settings, "--settings"));
  const objects = readObjects(file);
  const labels = options.all === true ? { [INJECT]: ENABLED } : {};
  const results = objects.map((object) => injected(object, labels, settings));
  const problems = results.flatMap(({ problems: own }) => own);
  if (problems.length > 0) throw new HansaError("HSA7031", `${file}: ${problems.join("; ")}`);
  const [before, after] = [textOf(objects), textOf(results.map(({ object }) => object))];
  return {
    kind: "Injection",
    data: {
      injected: results.filter(({ changed }) => changed).length,
      objects: results.map((one) => one.object),
    },
    text: () => (options.diff === true ? diffLines(before, after) : after.trimEnd()),
  };
};

interface Result {
  readonly object: Json;
  readonly changed: boolean;
  readonly problems: readonly string[];
}

function injected(object: Json, labels: Readonly<Record<string, string>>, settings: InjectSettings): Result {
  const place = podPlaceOf(object);
  const result = place === undefined ? undefined : inject(place.pod, labels, settings);
  if (place === undefined || result === undefined || result.kind === "leave")
    return { object, changed: false, problems: [] };
  if (result.kind === "refuse") {
    const name = (object.metadata as Json | undefined)?.name;
    const problems = result.problems.map((problem) => `${object.kind} ${name}: ${problem}`);
    return { object, changed: false, problems };
  }
  return { object: place.put(applyPatch(place.pod as Pod, result.patch)), changed: true, problems: [] };
}

const textOf = (objects: readonly Json[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0 })).join("---\n");

function fileOf(value: unknown, flag: string): string {
  if (typeof value !== "string") throw new HansaError("HSA1001", `${flag} is missing`);
  return value;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new HansaError("HSA1004", `${file}: ${(error as Error).message}`);
  }
}

function readObjects(file: string): readonly Json[] {
  const documents = parseAllDocuments(readText(file));
  return (Array.isArray(documents) ? documents : []).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new HansaError("HSA1004", `${file}: ${problem.message}`);
    const object: unknown = document.toJS();
    if (object === null) return [];
    if (typeof object !== "object" || Array.isArray(object))
      throw new HansaError("HSA1004", `${file}: a document is no object of Kubernetes`);
    return [object as Json];
  });
}

/** Text fields of the settings; `agent` and `excludeOutboundCidrs` beside them. */
const TEXTS = ["cluster", "proxyImage", "rulesImage"] as const;

function readSettings(file: string): InjectSettings {
  let given: unknown;
  try {
    given = parse(readText(file));
  } catch (error) {
    if (error instanceof HansaError) throw error;
    throw new HansaError("HSA1004", `${file}: not YAML: ${(error as Error).message}`);
  }
  const settings = (given ?? {}) as Partial<InjectSettings>;
  const missing = TEXTS.filter((name) => typeof settings[name] !== "string" || settings[name] === "");
  const { host, port } = settings.agent ?? {};
  if (typeof host !== "string" || typeof port !== "number") missing.push("agent" as never);
  if (missing.length > 0)
    throw new HansaError("HSA1004", `${file}: ${missing.join(", ")}: missing, or no text`);
  return { excludeOutboundCidrs: [], ...settings } as InjectSettings;
}
