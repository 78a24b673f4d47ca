/**
 * Hysteresis for the return to local (federation §1.5 rule 5). A fall of the local share takes effect at once. A rise
 * after such a fall waits until local health was better by `hysteresisPercent` points, or whole, for `hysteresisMs`.
 * While it waits the ready endpoints stay healthy and only their share is capped, so nothing fails where nobody else
 * can serve: Envoy gives an only healthy priority everything. A service never seen whole rises freely: a start is no
 * return. Pure steps; `FailbackMemory` is the one place that remembers.
 */
export interface FailbackEntry {
  /** Local health was once enough for the whole load. */
  readonly seenFull: boolean;
  /** Healthy part of local capacity, 0..1, up to which local is used. */
  readonly heldRatio: number;
  /** Monotonic ms since when health has been enough to rise; null while it is not. */
  readonly risingSinceMs: number | null;
}

export interface FailbackRule {
  readonly thresholdPercent: number;
  readonly hysteresisPercent: number;
  readonly hysteresisMs: number;
}

export interface FailbackStep {
  readonly entry: FailbackEntry;
  /** Cap on the healthy ratio; null = none. */
  readonly capRatio: number | null;
  /** When the view must be computed again though no fact changed; null = never. */
  readonly dueMs: number | null;
}

export function failbackStep(
  before: FailbackEntry | undefined,
  ratio: number,
  rule: FailbackRule,
  nowMs: number,
): FailbackStep {
  const full = (at: number): boolean => at * 100 >= rule.thresholdPercent;
  const follow = (seenFull: boolean): FailbackStep => ({
    entry: { seenFull, heldRatio: ratio, risingSinceMs: null },
    capRatio: null,
    dueMs: null,
  });
  if (before === undefined || !before.seenFull) return follow(full(ratio));
  if (ratio <= before.heldRatio || full(before.heldRatio)) return follow(true);
  const capRatio = Math.max(before.heldRatio, trialRatio(rule));
  if (capRatio >= ratio) return { entry: { ...before, risingSinceMs: null }, capRatio: null, dueMs: null };
  if (ratio < Math.min(1, before.heldRatio + rule.hysteresisPercent / 100))
    return { entry: { ...before, risingSinceMs: null }, capRatio, dueMs: null };
  const risingSinceMs = before.risingSinceMs ?? nowMs;
  const dueMs = risingSinceMs + rule.hysteresisMs;
  if (nowMs >= dueMs) return follow(true);
  return { entry: { ...before, risingSinceMs }, capRatio, dueMs };
}

/** A returning local priority carries at least `hysteresisPercent` of the load: its trial. */
const trialRatio = (rule: FailbackRule): number =>
  (Math.max(1, rule.hysteresisPercent) / 100) * (rule.thresholdPercent / 100);

/** One entry per service port (by its SNI), bounded by what the importer routes. */
export class FailbackMemory {
  readonly #entries = new Map<string, { readonly entry: FailbackEntry; readonly dueMs: number | null }>();

  get(name: string): FailbackEntry | undefined {
    return this.#entries.get(name)?.entry;
  }

  set(name: string, step: FailbackStep): void {
    this.#entries.set(name, { entry: step.entry, dueMs: step.dueMs });
  }

  forget(name: string): void {
    this.#entries.delete(name);
  }

  /** SNIs whose views must be computed again by now, because a wait is over. */
  due(nowMs: number): string[] {
    return [...this.#entries]
      .filter(([, { dueMs }]) => dueMs !== null && dueMs <= nowMs)
      .map(([name]) => name);
  }

  /** Earliest monotonic ms at which `due` will name something; null where nothing waits. */
  nextDueMs(): number | null {
    const dues = [...this.#entries.values()].flatMap(({ dueMs }) => (dueMs === null ? [] : [dueMs]));
    return dues.length === 0 ? null : Math.min(...dues);
  }

  copy(): FailbackMemory {
    const copy = new FailbackMemory();
    for (const [name, kept] of this.#entries) copy.#entries.set(name, kept);
    return copy;
  }
}
