import { nodeCrypto } from "@hansa/identity";
import type { TokenVerdict } from "@hansa/kube";
import { beforeEach, expect, it } from "vitest";
import { TokenReviews, VERDICT_KEPT_MS, VERDICT_STALE_MS, VERDICTS_MAX } from "./token-reviews.ts";

const owner: TokenVerdict = {
  authenticated: true,
  namespace: "shop",
  serviceAccount: "pay",
  podName: "pay-1",
  podUid: "u-1",
};
const down = { authenticated: undefined, problem: {} } as unknown as TokenVerdict;
const refused: TokenVerdict = { authenticated: false, reason: "no" };

let nowMs: number;
let asked: string[];
let verdict: TokenVerdict;
let reviews: TokenReviews;

beforeEach(() => {
  nowMs = 1_000_000;
  asked = [];
  verdict = owner;
  reviews = new TokenReviews({
    review: async (token) => {
      asked.push(token);
      return verdict;
    },
    sha256: nodeCrypto.sha256,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
  });
});

it("many streams with one token are one review", async () => {
  expect(await Promise.all([reviews.review("a"), reviews.review("a"), reviews.review("b")])).toEqual([
    owner,
    owner,
    owner,
  ]);
  nowMs += VERDICT_KEPT_MS - 1;
  await reviews.review("a");
  expect(asked).toEqual(["a", "b"]);
  nowMs += 1;
  await reviews.review("a");
  expect(asked).toEqual(["a", "b", "a"]);
});

it("a refusal is asked again, and takes back what was said before", async () => {
  await reviews.review("a");
  nowMs += VERDICT_KEPT_MS;
  verdict = refused;
  expect(await reviews.review("a")).toEqual(refused);
  nowMs += VERDICT_KEPT_MS;
  verdict = down;
  expect(await reviews.review("a")).toEqual(down);
});

it("who was let in may come again while the API server is down, and no stranger", async () => {
  await reviews.review("a");
  verdict = down;
  nowMs += VERDICT_STALE_MS - 1;
  expect(await reviews.review("a")).toEqual(owner);
  expect(await reviews.review("b")).toEqual(down);
  nowMs += 1;
  expect(await reviews.review("a")).toEqual(down);
});

it("nothing is kept beyond the token's own end", async () => {
  const claims = Buffer.from(JSON.stringify({ exp: nowMs / 1000 + 5 })).toString("base64url");
  const token = `h.${claims}.s`;
  await reviews.review(token);
  verdict = down;
  nowMs += 4_999;
  expect(await reviews.review(token)).toEqual(owner);
  nowMs += 1;
  expect(await reviews.review(token)).toEqual(down);
});

it("keeps so many verdicts; the oldest go", async () => {
  for (let token = 0; token <= VERDICTS_MAX; token += 1) await reviews.review(String(token));
  asked = [];
  await reviews.review("1");
  await reviews.review("0");
  expect(asked).toEqual(["0"]);
});
