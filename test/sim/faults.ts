/** Probabilities per message, delays in ms. */
export interface Faults {
  readonly delayMaxMs: number;
  /** A request that the broker never sees; an answer that the client never sees. */
  readonly loseRequest: number;
  readonly loseAnswer: number;
  /** A request that arrives long after its sender gave up. */
  readonly late: number;
  readonly loseTail: number;
  readonly repeatTail: number;
  /** Live messages that overtake each other by up to `reorderMaxMs`. */
  readonly reorderTail: number;
  readonly reorderMaxMs: number;
}

export const CALM: Faults = {
  delayMaxMs: 2,
  loseRequest: 0,
  loseAnswer: 0,
  late: 0,
  loseTail: 0,
  repeatTail: 0,
  reorderTail: 0,
  reorderMaxMs: 0,
};
