/**
 * Loaded before an agent's own code (`node --import`): notes when the agent reaches each stage of a change, by wrapping
 * public methods that a change passes. The product has no hook for it; nothing is wrapped outside a benchmark.
 */
import { appendFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LaneWriter } from "@hansa/events";
import { Federation } from "@hansa/model";
import { DeltaStream } from "@hansa/xds";
import { AgentCore } from "../../../services/agent/src/core.ts";
import { Propagation } from "../../../services/agent/src/proxy/propagation.ts";

/**
 * At the writer: its facts taken in, the record signed, the record stored by NATS (the answer read). At the reader: the
 * record's message read, folded, its resources built, a response handed to a stream, an ACK taken in, all Envoys' ACKs.
 */
export type Stage =
  | "facts"
  | "signed"
  | "stored"
  | "heard"
  | "folded"
  | "built"
  | "pushed"
  | "ack"
  | "reached";

export interface Note {
  readonly stage: Stage;
  /** CLOCK_MONOTONIC, ms: the same for all processes. */
  readonly atMs: number;
  /** `<account> <lane>`, and the record's number in it. */
  readonly log?: string;
  readonly seq?: number;
  /** Of `signed`: registers that the record sets. */
  readonly keys?: readonly string[];
  /** Of `built` and `reached`: what the build or the ACKs cover, log → record number. */
  readonly heads?: Readonly<Record<string, number>>;
}

const FLUSH_MS = 100;
const folder = process.env.HANSA_BENCH_PROBE;

/** Puts `after` behind a method of a class. */
function behind<Owner extends object, Name extends keyof Owner>(
  owner: { readonly prototype: Owner },
  name: Name,
  after: (self: Owner, answer: unknown, args: readonly unknown[], startedMs: number) => void,
): void {
  const method = owner.prototype[name] as (...args: unknown[]) => unknown;
  owner.prototype[name] = function (this: Owner, ...args: unknown[]) {
    const startedMs = nowMs();
    const answer = method.apply(this, args);
    after(this, answer, args, startedMs);
    return answer;
  } as Owner[Name];
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export function watchAgent(take: (note: Note) => void): void {
  const note = (stage: Stage, more: Partial<Note> = {}): void => take({ stage, atMs: nowMs(), ...more });
  const headsOf = (heads: Propagation["acked"]): Record<string, number> =>
    Object.fromEntries(heads.map(({ source, lane, seq }) => [`${source} ${lane}`, seq]));

  behind(AgentCore, "facts", (_self, _answer, _args, startedMs) => take({ stage: "facts", atMs: startedMs }));
  const formed = new WeakMap<LaneWriter, Partial<Note>>();
  behind(LaneWriter, "next", (self, answer) => {
    const record = (answer as ReturnType<LaneWriter["next"]>)?.record;
    if (record === undefined) return;
    const { source, lane, seq } = record.header;
    const at = { log: `${source} ${lane}`, seq };
    formed.set(self, at);
    const atMs = nowMs();
    const events = JSON.parse(Buffer.from(record.body).toString()) as readonly { readonly key: string }[];
    take({ stage: "signed", atMs, ...at, keys: events.map(({ key }) => key) });
  });
  // Its head would tell as much, and costs a digest of all registers.
  behind(LaneWriter, "stored", (self) => note("stored", formed.get(self)));
  behind(Federation, "apply", (_self, _answer, [input], startedMs) => {
    const { record } = input as Parameters<Federation["apply"]>[0];
    const at = { log: `${record.header.source} ${record.header.lane}`, seq: record.header.seq };
    take({ stage: "heard", atMs: startedMs, ...at });
    note("folded", at);
  });
  let waiting = 0;
  behind(Propagation, "built", (self, _answer, [, heads]) => {
    waiting = self.waiting;
    note("built", { heads: headsOf(heads as Propagation["acked"]) });
  });
  behind(DeltaStream, "pump", (_, answer) => {
    if (answer !== undefined) note("pushed");
  });
  behind(DeltaStream, "onRequest", (_, answer) => {
    if ((answer as ReturnType<DeltaStream["onRequest"]>).kind === "ack") note("ack");
  });
  behind(Propagation, "reached", (self) => {
    if (self.waiting < waiting) note("reached", { heads: headsOf(self.acked) });
    waiting = self.waiting;
  });
}

if (folder !== undefined && process.argv[1]?.endsWith("services/agent/src/main.ts")) {
  const config = process.argv[process.argv.indexOf("--config") + 1] ?? "";
  const file = join(folder, `${basename(dirname(config))}.jsonl`);
  let lines: string[] = [];
  watchAgent((note) => lines.push(JSON.stringify(note)));
  setInterval(() => {
    if (lines.length > 0) appendFileSync(file, `${lines.join("\n")}\n`);
    lines = [];
  }, FLUSH_MS).unref();
}
