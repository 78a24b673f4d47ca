/** The Disk port on a folder, and small JSON helpers over any Disk. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromUtf8, utf8 } from "@hansa/core";
import { writeAtomically } from "@hansa/identity";
import type { Disk } from "./ports.ts";

export function folderDisk(directory: string): Disk {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    read(name) {
      try {
        return readFileSync(join(directory, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    write: (name, content) => writeAtomically(directory, name, content),
  };
}

/** undefined where the file is missing or is not JSON: what it held is made again from the logs. */
export function readJson(disk: Disk, name: string): unknown {
  const text = fromUtf8(disk.read(name) ?? new Uint8Array());
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const writeJson = (disk: Disk, name: string, value: unknown): void =>
  disk.write(name, utf8(JSON.stringify(value)));

/** What is not a list of texts counts as nothing. */
export function readLists(disk: Disk, name: string): Record<string, readonly string[]> {
  const value = readJson(disk, name);
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string[]] =>
        Array.isArray(entry[1]) && entry[1].every((item) => typeof item === "string"),
    ),
  );
}
