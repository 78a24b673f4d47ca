/** `hansa wait --position P`: returns when the Envoys of every live importer have acknowledged it; else who is missing. */
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError } from "@hansa/core";
import { durationOption } from "../shell/moment.ts";
import { say } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { memberFacts } from "./federation.ts";
import {
  ackedBy,
  isAtLeast,
  type Place,
  type Positions,
  parsePlace,
  placeText,
  positionsNow,
} from "./positions.ts";

const POLL_MS = 250;
const TIMEOUT_MAX_MS = 24 * 3_600_000;

export interface Missing {
  readonly importer: string;
  /** null: it has told of nothing yet. */
  readonly at: string | null;
}

export const action: Action = async (shell, _args, options) => {
  if (options.position === undefined)
    throw new HansaError("HSA1001", "--position CLUSTER/LANE/EPOCH/SEQ is needed");
  const wanted = parsePlace(String(options.position));
  const timeoutMs = durationOption("--timeout", options.timeout, 1, TIMEOUT_MAX_MS);
  const context = shell.context();
  const startMs = performance.now();
  let told = "";
  for (;;) {
    const members = await memberFacts(context);
    if (wanted.cluster !== "hub" && !members.some(({ cluster }) => cluster === wanted.cluster))
      throw new HansaError(
        "HSA1005",
        `--position ${placeText(wanted)}: no cluster is named ${wanted.cluster}`,
      );
    const importers = members.filter(({ state }) => state === "active" || state === "draining");
    const positions = await positionsNow(context);
    const missing = missingFrom(
      positions,
      importers.map(({ cluster }) => cluster),
      wanted,
    );
    const elapsedMs = Math.round(performance.now() - startMs);
    if (importers.length > 0 && missing.length === 0) {
      const names = importers.map(({ cluster }) => cluster);
      return {
        kind: "Wait",
        data: { position: placeText(wanted), acknowledgedBy: names, elapsedMs, answeredBy: positions.by },
        text: () =>
          `${placeText(wanted)} is acknowledged by the Envoys of ${names.join(", ")} (${elapsedMs} ms)`,
      };
    }
    const now = missing.map(missingText).join(", ");
    if (now !== told) say(`waiting for ${now}`);
    told = now;
    if (performance.now() - startMs >= timeoutMs)
      throw new HansaError(
        "HSA1009",
        `${placeText(wanted)} after ${String(options.timeout)}: not acknowledged by ${now}`,
      );
    await sleep(POLL_MS);
  }
};

const missingText = ({ importer, at }: Missing): string =>
  `${importer} (${at === null ? "has told of nothing" : `at ${at}`})`;

export function missingFrom(positions: Positions, importers: readonly string[], wanted: Place): Missing[] {
  return importers.flatMap((importer) => {
    const held = ackedBy(positions, importer, wanted);
    if (held !== null && isAtLeast(held, wanted)) return [];
    return [{ importer, at: held === null ? null : `${held.epoch}/${held.seq}` }];
  });
}
