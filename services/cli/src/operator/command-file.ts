/** The file in which operators collect their signatures: a command with its payload exactly as signed. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { HansaError } from "@hansa/core";
import type { CommandValue } from "@hansa/events";
import { writeAtomically } from "@hansa/identity";
import { API_VERSION } from "../shell/output.ts";

const KIND = "OperatorCommand";
export const FILE_BYTES_MAX = 1024 * 1024;

/** Throws HSA1004 where the file is not there or not such a file. */
export function readCommand(file: string): CommandValue {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new HansaError("HSA1004", `${file}: cannot be read (${(cause as Error).message})`, { cause });
  }
  return parseCommand(text, file);
}

export function parseCommand(text: string, file: string): CommandValue {
  const bad = (what: string) =>
    new HansaError("HSA1004", `${file}: ${what}; make one with \`hansa operator sign --order … --out FILE\``);
  if (text.length > FILE_BYTES_MAX) throw bad("is too large for an operator command");
  let document: { kind?: unknown; payload?: unknown; signatures?: unknown };
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    throw bad("is not JSON");
  }
  const { kind, payload, signatures } = document ?? {};
  if (kind !== KIND) throw bad(`kind must be ${KIND}`);
  if (typeof payload !== "string") throw bad("payload must be the text that is signed");
  const signed = (Array.isArray(signatures) ? signatures : []) as { key?: unknown; sig?: unknown }[];
  if (
    !Array.isArray(signatures) ||
    !signed.every(({ key, sig }) => typeof key === "string" && typeof sig === "string")
  )
    throw bad("signatures must be a list of {key, sig}");
  return { payload, signatures: signed.map(({ key, sig }) => ({ key: String(key), sig: String(sig) })) };
}

export const commandDocument = (value: CommandValue) => ({ apiVersion: API_VERSION, kind: KIND, ...value });

/** Whole or not at all: a torn file would lose signatures already given. */
export function writeCommand(file: string, value: CommandValue): void {
  const path = resolve(file);
  const name = path.slice(dirname(path).length + 1);
  writeAtomically(dirname(path), name, `${JSON.stringify(commandDocument(value), null, 2)}\n`);
}
