/**
 * What must hold once a fault is over: all folds alike, archive and agents say what the lab's processes are, and `hansa
 * check` has nothing to say. Waits for it with a bound; asks as the CLI does.
 */
import { type ApiTarget, callApi } from "@hansa/identity";
import { CATEGORY_NAMES } from "../../services/cli/src/check/categories.ts";
import { JUDGES } from "../../services/cli/src/check/check.ts";
import { gather } from "../../services/cli/src/check/gather.ts";
import type { Check } from "../../services/cli/src/check/report.ts";
import { trueEndpoints } from "./facts.ts";
import type { Rig } from "./rig.ts";

export const QUIET_WITHIN_MS = 90_000;
const POLL_MS = 100;

export interface Quiet {
  /** From the call to the moment when all digests were equal and the facts right. */
  readonly convergedMs: number;
  /** Until `hansa check` was green too. */
  readonly greenMs: number;
}

/** Throws with everything that is still wrong after `withinMs`. `settled`: nothing may be on its way any more. */
export async function waitForQuiet(rig: Rig, settled = false, withinMs = QUIET_WITHIN_MS): Promise<Quiet> {
  const startMs = performance.now();
  const passed = () => performance.now() - startMs;
  let convergedMs: number | undefined;
  for (;;) {
    let problems: string[] = [];
    if (convergedMs === undefined) {
      problems = await differences(rig);
      if (problems.length === 0) convergedMs = passed();
    }
    if (convergedMs !== undefined) {
      problems = await notGreen(rig, settled ? [HISTORY] : [HISTORY, HELD_OPEN]);
      if (problems.length === 0) return { convergedMs, greenMs: passed() };
    }
    if (passed() > withinMs)
      throw new Error(
        `not quiet after ${withinMs} ms (digests alike: ${convergedMs ?? "never"}):\n  ${problems.join("\n  ")}`,
      );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

type Raw = Readonly<Record<string, unknown>>;
const data = async (target: ApiTarget, path: string): Promise<Raw> =>
  ((await callApi(target, { path, timeoutMs: 3000 })) as { data: Raw }).data;

/** Where folds and facts differ; empty = nowhere. */
async function differences(rig: Rig): Promise<string[]> {
  const { hub, agents } = rig.context();
  const tellers: readonly (readonly [string, ApiTarget, string])[] = [
    ["hub", hub, "/v1/federation"],
    ...Object.entries(agents).map(([name, target]) => [name, target, "/v1/federation-state"] as const),
  ];
  try {
    const digests = await Promise.all(
      tellers.map(async ([who, target, path]) => `${who} ${(await data(target, path)).digest}`),
    );
    if (new Set(digests.map((told) => told.split(" ")[1])).size > 1) return digests;
    return (await Promise.all(tellers.map(([who, target]) => wrongFacts(rig, who, target)))).flat();
  } catch (error) {
    return [String(error)];
  }
}

/** What `who` says of endpoints, against the processes themselves. */
export async function wrongFacts(rig: Rig, who: string, target: ApiTarget): Promise<string[]> {
  const [truth, told] = await Promise.all([trueEndpoints(rig), data(target, "/v1/endpoints?limit=1000")]);
  const held = (told.items as Raw[])
    .map(
      (item) =>
        `${item.cluster}/${item.namespace}/${item.service}/${String(item.id).split(".").at(-1)} ${item.address} ${item.ready}`,
    )
    .sort();
  const missing = truth.filter((line) => !held.includes(line)).map((line) => `${who} lacks ${line}`);
  return [...missing, ...held.filter((line) => !truth.includes(line)).map((line) => `${who} has ${line}`)];
}

/** A hole of the archive that a source's snapshot made good is history, and stays to be seen. */
const HISTORY = "the archive holds every record";
/** Where storage was lost: a hole is held open for a minute, in case that an agent still brings its records. */
const HELD_OPEN = "no log has a gap";

/** Everything that `hansa check` does not call a success, and processes that are gone. */
async function notGreen(rig: Rig, excused: readonly string[]): Promise<string[]> {
  const facts = await gather(rig.context());
  const checks: Check[] = CATEGORY_NAMES.flatMap((name) => JUDGES[name](facts));
  const bad = checks.filter(({ grade, description }) => grade !== "ok" && !excused.includes(description));
  const gone = (await rig.components()).filter(({ state }) => state === "exited" || state === "stopped");
  return [
    ...bad.map(({ grade, description, code, cause }) => `${grade}: ${description}: ${code} ${cause}`),
    ...gone.map(({ name, state }) => `${name} ${state}`),
  ];
}
