/**
 * TokenReviews asked once where many ask: streams that reconnect together bring the same token. Owns how long a verdict
 * counts and how many are kept; a verdict says whose a token is, never whether its pod still runs.
 */
import { type Clock, hex, type Sha256, utf8 } from "@hansa/core";
import type { TokenVerdict } from "@hansa/kube";

export interface TokenReviewsOptions {
  /** Never rejects. */
  readonly review: (token: string) => Promise<TokenVerdict>;
  readonly sha256: Sha256;
  readonly clock: Clock;
}

/** A storm of reconnects is one review per token; a refusal is asked again soon, for a token may become valid. */
export const VERDICT_KEPT_MS = 10_000;
/** An API server that is down keeps nobody out who was let in before: no longer than a projected token lives. */
export const VERDICT_STALE_MS = 3_600_000;
/** A verdict per proxy of the largest cluster, and as many refusals of an attacker, who pushes out only the oldest. */
export const VERDICTS_MAX = 20_000;

interface Kept {
  readonly verdict: TokenVerdict;
  readonly atMs: number;
  /** Wall clock; undefined where the token says none. */
  readonly expiresMs: number | undefined;
}

export class TokenReviews {
  readonly #options: TokenReviewsOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<TokenVerdict>>();

  constructor(options: TokenReviewsOptions) {
    this.#options = options;
  }

  /** Tokens are known by their hash: none is kept. */
  review(token: string): Promise<TokenVerdict> {
    const key = hex(this.#options.sha256(utf8(token)));
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#isWithin(kept, VERDICT_KEPT_MS)) return Promise.resolve(kept.verdict);
    const asked = this.#asked.get(key) ?? this.#ask(key, token);
    this.#asked.set(key, asked);
    return asked;
  }

  async #ask(key: string, token: string): Promise<TokenVerdict> {
    const verdict = await this.#options.review(token);
    this.#asked.delete(key);
    const before = this.#kept.get(key);
    if (verdict.authenticated === undefined)
      return before?.verdict.authenticated === true && this.#isWithin(before, VERDICT_STALE_MS)
        ? before.verdict
        : verdict;
    this.#kept.delete(key);
    this.#kept.set(key, {
      verdict,
      atMs: this.#options.clock.monotonicMs(),
      expiresMs: expiryOf(token),
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= VERDICTS_MAX) break;
      this.#kept.delete(oldest);
    }
    return verdict;
  }

  #isWithin({ atMs, expiresMs }: Kept, keptMs: number): boolean {
    const { clock } = this.#options;
    return clock.monotonicMs() - atMs < keptMs && (expiresMs === undefined || clock.nowMs() < expiresMs);
  }
}

/** `exp` of a JWT that the API server has verified. It only ever shortens what is kept. */
function expiryOf(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const exp = (claims as { readonly exp?: unknown } | null)?.exp;
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
