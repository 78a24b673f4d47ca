/** What the pages for people name is there: files, codes, metrics and commands. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isCode } from "@hansa/core";
import { METRICS } from "@hansa/telemetry";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";
import { buildProgram } from "../services/cli/src/main.ts";
import { HUB_METRICS } from "../services/hub/src/metrics.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
].map((page) => [page, readFileSync(join(root, page), "utf8")] as const);

const found = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, name = ""]) => name)),
];

const hansa = await buildProgram(undefined);

/** Lines of code blocks and inline code; a line that ends in a backslash goes on in the next. */
const codeOf = (text: string): string[] => [
  ...[...text.matchAll(/^ *```\w*\n([\s\S]*?)^ *```/gm)].flatMap(([, block = ""]) =>
    block.replaceAll("\\\n", " ").split("\n"),
  ),
  ...found(text.replace(/^ *```[\s\S]*?^ *```/gm, ""), /`([^`\n]+)`/g),
];

/** What is wrong with a command line; undefined = nothing. */
function mistake(line: string): string | undefined {
  const [, typed = ""] = /^(?:npx )?hansa (.*?)(?: +#.*)?$/.exec(line.trim()) ?? [];
  const words = typed.split(/\s+/).filter((word) => word !== "");
  let command: Command = hansa;
  for (const word of words) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    const takesWords = command.commands.length === 0 || command.registeredArguments.length > 0;
    if (next === undefined && !takesWords && !/^[-…]/.test(word)) return `${line}: no command ${word}`;
    if (next === undefined) break;
    command = next;
  }
  const unknown = words
    .filter((word) => /^--?[a-z]/.test(word) && word !== "--help")
    .filter((word) => !command.options.some(({ long, short }) => word === long || word === short));
  return unknown.length === 0 ? undefined : `${line}: ${unknown.join(", ")}`;
}

describe.each(pages)("%s", (page, text) => {
  it("links to files that are there", () => {
    const links = found(text, /\]\(([^)#:]+)(?:#[^)]*)?\)/g);
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });

  it("names folders and files of the checkout that are there", () => {
    const paths = found(text, /`((?:libs|services|deploy|test|docs|migrations)\/[\w./-]+)`/g);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("names commands and options that are there", () => {
    const lines = codeOf(text).filter((line) => /^\s*(npx )?hansa\b/.test(line));
    expect(lines.flatMap((line) => mistake(line) ?? [])).toEqual([]);
  });

  it("names codes and metrics that are there", () => {
    expect(found(text, /\b(HSA\d{4})\b/g).filter((code) => !isCode(code))).toEqual([]);
    const metrics = { ...METRICS, ...HUB_METRICS };
    expect(found(text, /`((?:hansa|federation)_[a-z_]+)`/g).filter((name) => !(name in metrics))).toEqual([]);
  });
});
