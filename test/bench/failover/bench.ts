/**
 * Failover of the default lab under 200 calls a second from eu's web to pay: first all of eu's own pay die, then us's
 * gateway and agent. Counted from the moment of the kill: calls that failed, and how long until the last call that the
 * new place did not answer had begun. Retries are on, as every sidecar has them.
 */
import { httpCaller, type Outcome } from "../../../services/cli/src/lab/callers.ts";
import { runLoad } from "../../../services/cli/src/lab/load.ts";
import { callLab, labPlace } from "../../../services/cli/src/shell/lab-client.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { BenchLab } from "../support/lab.ts";
import { ms, quantile, sleep } from "../support/numbers.ts";

const RATE = 200;
const AT_ONCE = 64;
const BEFORE_MS = 2000;
const MOVED_MS = 2000;
const STRETCH_MS = 100;

interface Call {
  readonly startMs: number;
  readonly outcome: Outcome;
}

interface Step {
  readonly what: string;
  readonly kill: readonly string[];
  /** Who answers afterwards. */
  readonly next: string;
}

const STEPS: readonly Step[] = [
  { what: "all local endpoints (eu/shop/pay) die", kill: ["eu/shop/pay"], next: "us" },
  { what: "then us's gateway and agent die", kill: ["us/gateway", "us/agent"], next: "ap" },
];

async function run({ quick, log }: BenchContext): Promise<readonly Figure[]> {
  const lab = await BenchLab.start();
  const before = process.env.HANSA_LAB_STATE;
  process.env.HANSA_LAB_STATE = lab.state;
  try {
    await lab.until(
      ["lab", "call", "eu/shop/web", "pay", "-n", "50"],
      (json) => json.served?.["eu/pay"] === 50,
    );
    const figures: Figure[] = [];
    for (const step of STEPS) {
      figures.push(await measure(step, quick ? 4000 : 8000, log));
      await sleep(1000);
    }
    return figures;
  } finally {
    if (before === undefined) delete process.env.HANSA_LAB_STATE;
    else process.env.HANSA_LAB_STATE = before;
    await lab.down();
  }
}

async function measure(step: Step, afterMs: number, log: (line: string) => void): Promise<Figure> {
  const calls: Call[] = [];
  const stop = new AbortController();
  const caller = await payCaller();
  const load = runLoad(
    {
      call: async () => {
        const startMs = performance.now();
        const outcome = await caller.call();
        calls.push({ startMs, outcome });
        return outcome;
      },
      close: () => caller.close(),
    },
    { count: Number.POSITIVE_INFINITY, atOnce: AT_ONCE, rate: RATE },
    stop.signal,
  );
  await sleep(BEFORE_MS);
  const killMs = performance.now();
  await callLab("POST", "/action", { action: "kill", names: step.kill });
  await sleep(afterMs);
  stop.abort();
  const { sent, failed, served } = await load;
  log(`  ${step.what}: ${JSON.stringify(served)}`);
  return figureOf(step, calls, killMs, sent, failed);
}

function figureOf(step: Step, calls: readonly Call[], killMs: number, sent: number, failed: number): Figure {
  const after = calls.filter(({ startMs }) => startMs >= killMs);
  const elsewhere = after.filter(({ outcome }) => outcome.served?.cluster !== step.next);
  const movedMs = Math.max(0, ...elsewhere.map(({ startMs }) => startMs - killMs));
  const slowestMs = Math.max(...after.map(({ outcome }) => outcome.latencyMs));
  const steadyMs = steadyFrom(calls, killMs, step.next);
  return {
    figure: `failover under ${RATE} calls/s: ${step.what}`,
    reach: `0 failed, moved ≤ ${MOVED_MS / 1000} s`,
    measured: `${failed} of ${sent} failed, all answered by ${step.next} after ${ms(movedMs)}, as fast as before after ${ms(steadyMs)}; slowest ${ms(slowestMs)}`,
    kept: failed === 0 && Math.max(movedMs, steadyMs) <= MOVED_MS && elsewhere.length < after.length,
  };
}

/** Start of the first stretch in which the new place answers every call, half of them no slower than twice as before. */
function steadyFrom(calls: readonly Call[], killMs: number, next: string): number {
  const median = (some: readonly Call[]): number =>
    quantile(
      some.map(({ outcome }) => outcome.latencyMs),
      0.5,
    );
  const usualMs = median(calls.filter(({ startMs }) => startMs < killMs - STRETCH_MS));
  for (let fromMs = 0; fromMs < 60_000; fromMs += STRETCH_MS) {
    const stretch = calls.filter(
      ({ startMs }) => Math.floor((startMs - killMs) / STRETCH_MS) * STRETCH_MS === fromMs,
    );
    const moved = stretch.every(({ outcome }) => outcome.served?.cluster === next);
    if (stretch.length > 0 && moved && median(stretch) <= 2 * usualMs) return fromMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** Calls pay through the sidecar of eu's web. */
async function payCaller() {
  const place = await labPlace();
  const web = place.replicas.find(({ cluster, workload }) => cluster === "eu" && workload === "web");
  if (web === undefined) throw new Error("the lab has no eu/shop/web");
  const authority = "pay.shop.svc.clusterset.local:80";
  return httpCaller({ address: web.address, port: place.outboundPort, authority, path: "/" });
}

export const bench: Bench = {
  name: "failover",
  about: "who answers, and from when on, after the nearest capacity has died under load",
  run,
};
