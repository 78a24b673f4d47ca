/** Times of list and watch. One set for all reflectors; tests shorten them. */
import type { Backoff } from "../backoff.ts";

export interface ReflectorSettings {
  readonly pageObjects: number;
  readonly backoff: Backoff;
  /** Without a line for this long a watch is not believed: bookmarks come about once a minute. */
  readonly silenceMs: number;
  /** Between a list that lacks half or more and the list that confirms it. */
  readonly confirmAfterMs: number;
  /**
   * After this long without the API server everything is listed. A restored etcd that has overtaken our version is not to be told from
   * the old one by its answers; it is away for longer than this, and a crashed API server mostly is not.
   */
  readonly outageMs: number;
  /** A watch that ends sooner and without a line counts as a failure. */
  readonly shortWatchMs: number;
  /** The server is asked to end a watch after a time between this and twice this (client-go's five to ten minutes). */
  readonly watchMs: number;
}

export const REFLECTOR_SETTINGS: ReflectorSettings = {
  pageObjects: 500,
  backoff: { firstMs: 100, lastMs: 10_000 },
  silenceMs: 180_000,
  confirmAfterMs: 2000,
  outageMs: 3000,
  shortWatchMs: 1000,
  watchMs: 300_000,
};
