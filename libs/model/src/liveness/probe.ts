/**
 * Evidence B: this importer's own probe of a peer's gateways. Down after three failures in a row, up after three
 * successes in a row; a gateway that flaps is held down, twice as long each time.
 */
import type { ProbeState } from "@hansa/events";
import type { LivenessSettings } from "./settings.ts";

export type ProbeResult =
  | { readonly ok: true; readonly rttMs: number | null }
  | { readonly ok: false; readonly stage: string };

export interface ProbeTrack {
  /** `unknown` counts as alive. */
  readonly state: ProbeState;
  readonly failures: number;
  readonly successes: number;
  /** Stage of the failure that took it down: tcp, tls, san, http; "" while it is not down. */
  readonly stage: string;
  readonly rttMs: number | null;
  /** The last result: monotonic ms and outcome. */
  readonly last: { readonly atMs: number; readonly ok: boolean } | null;
  /** Monotonic ms of the last recovery; null before the first. */
  readonly upSinceMs: number | null;
  readonly holdDownMs: number;
  readonly heldUntilMs: number;
}

export const NEW_PROBE: ProbeTrack = {
  state: "unknown",
  failures: 0,
  successes: 0,
  stage: "",
  rttMs: null,
  last: null,
  upSinceMs: null,
  holdDownMs: 0,
  heldUntilMs: 0,
};

export function probeStep(
  track: ProbeTrack,
  result: ProbeResult,
  nowMs: number,
  settings: LivenessSettings,
): ProbeTrack {
  return result.ok
    ? succeed(track, result.rttMs, nowMs, settings)
    : fail(track, result.stage, nowMs, settings);
}

function succeed(
  track: ProbeTrack,
  rttMs: number | null,
  nowMs: number,
  settings: LivenessSettings,
): ProbeTrack {
  const next: ProbeTrack = {
    ...track,
    failures: 0,
    successes: track.successes + 1,
    rttMs: rttMs ?? track.rttMs,
    last: { atMs: nowMs, ok: true },
  };
  if (track.state !== "fail") return { ...next, state: "ok" };
  if (next.successes < settings.successesToUp || nowMs < track.heldUntilMs) return next;
  return { ...next, state: "ok", stage: "", upSinceMs: nowMs };
}

function fail(track: ProbeTrack, stage: string, nowMs: number, settings: LivenessSettings): ProbeTrack {
  const next: ProbeTrack = {
    ...track,
    failures: track.failures + 1,
    successes: 0,
    last: { atMs: nowMs, ok: false },
  };
  if (track.state === "fail") return { ...next, stage };
  if (next.failures < settings.failuresToDown) return next;
  const flapping = track.upSinceMs !== null && nowMs - track.upSinceMs < settings.flapWindowMs;
  const longer = Math.max(settings.holdDownMinMs, 2 * track.holdDownMs);
  const holdDownMs = flapping ? Math.min(settings.holdDownMaxMs, longer) : 0;
  return { ...next, state: "fail", stage, holdDownMs, heldUntilMs: nowMs + holdDownMs };
}

/** Failures counted while this importer itself was late say nothing. */
export const excuseFailures = (track: ProbeTrack): ProbeTrack =>
  track.failures === 0 ? track : { ...track, failures: 0 };

/** A verdict that came about in doubt says nothing; the gateway's history of flapping stays. */
export const startAnew = (track: ProbeTrack): ProbeTrack => ({
  ...track,
  state: "unknown",
  failures: 0,
  successes: 0,
  stage: "",
});
