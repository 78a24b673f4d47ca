/**
 * Records folded since the last disk snapshot, appended before their effect is served: a crash while the bus is away
 * must not roll the Envoys back. Survives the process, not the machine: what a power cut takes, the stream gives again.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { fromBase64 } from "@hansa/core";
import type { BusRecord } from "@hansa/events";

export interface Journal {
  append(record: BusRecord): void;
  /** In order of their folding. */
  read(): BusRecord[];
  /** A snapshot holds everything. */
  clear(): void;
  sizeBytes(): number;
  close(): void;
}

type Line = Omit<BusRecord, "record"> & {
  readonly header: BusRecord["record"]["header"];
  readonly body: string;
};

export const toLine = ({ record, ...place }: BusRecord): string =>
  `${JSON.stringify({ ...place, header: record.header, body: Buffer.from(record.body).toString("base64") } satisfies Line)}\n`;

/** undefined for a line that a crash cut short. */
function fromLine(line: string): BusRecord | undefined {
  try {
    const { header, body, ...place } = JSON.parse(line) as Line;
    const bytes = fromBase64(body);
    return bytes === undefined ? undefined : { ...place, record: { header, body: bytes } };
  } catch {
    return undefined;
  }
}

export const fromLines = (text: string): BusRecord[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : (fromLine(line) ?? [])));

/** Where the last whole line ends: what comes next must not be glued to one that a crash cut short. */
export const wholeLength = (content: Uint8Array): number => content.lastIndexOf(10) + 1;

export function openJournal(path: string): Journal {
  const file = openSync(path, "a+", 0o600);
  let size = wholeLength(readFileSync(path));
  ftruncateSync(file, size);
  return {
    append(record) {
      size += writeSync(file, toLine(record));
    },
    read: () => fromLines(readFileSync(path, "utf8")),
    clear() {
      ftruncateSync(file, 0);
      size = 0;
    },
    sizeBytes: () => size,
    close: () => closeSync(file),
  };
}
