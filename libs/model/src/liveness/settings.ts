/** Periods and bounds of the two kinds of evidence (federation §1.6). */
export interface LivenessSettings {
  /** A lease not renewed for this long is lost: five beats of 2 s. */
  readonly leaseExpiryMs: number;
  readonly probePeriodMs: number;
  /** A probe opens a new connection at least this often; in between it uses the kept one. */
  readonly fullHandshakeMs: number;
  /** Part of the period by which probes are spread, so that importers do not beat in time. */
  readonly probeJitter: number;
  readonly failuresToDown: number;
  readonly successesToUp: number;
  /** A gateway that fails again this soon after it came up is flapping. */
  readonly flapWindowMs: number;
  /** First hold-down of a flapping gateway; doubles at each flap. */
  readonly holdDownMinMs: number;
  readonly holdDownMaxMs: number;
  /** One window of self-doubt. */
  readonly doubtWindowMs: number;
  readonly loopLagMaxMs: number;
  /** A cluster stale for longer raises an alarm; it is still not removed. */
  readonly staleMaxMs: number;
}

export const LIVENESS_DEFAULT: LivenessSettings = {
  leaseExpiryMs: 10_000,
  probePeriodMs: 1_000,
  fullHandshakeMs: 30_000,
  probeJitter: 0.1,
  failuresToDown: 3,
  successesToUp: 3,
  flapWindowMs: 60_000,
  holdDownMinMs: 2_000,
  holdDownMaxMs: 60_000,
  doubtWindowMs: 3_000,
  loopLagMaxMs: 1_000,
  staleMaxMs: 24 * 3_600_000,
};

export interface ProbePlan {
  readonly delayMs: number;
  /** Drop the kept connection first. */
  readonly fullHandshake: boolean;
}

/**
 * When to probe next. `probesDone` = 0 gives the first probe, which is due at once and always a full handshake;
 * `random` is uniform in [0, 1).
 */
export function nextProbe(
  probesDone: number,
  sinceHandshakeMs: number,
  random: number,
  settings: LivenessSettings = LIVENESS_DEFAULT,
): ProbePlan {
  if (probesDone === 0) return { delayMs: 0, fullHandshake: true };
  const spread = 1 + settings.probeJitter * (2 * random - 1);
  const delayMs = settings.probePeriodMs * spread;
  return { delayMs, fullHandshake: sinceHandshakeMs + delayMs >= settings.fullHandshakeMs };
}
