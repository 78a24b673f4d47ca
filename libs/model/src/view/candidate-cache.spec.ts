import { expect, test } from "vitest";
import type { Candidate, Reach } from "./candidate.ts";
import { CandidateCache } from "./candidate-cache.ts";

const reach = (more: Partial<Reach> = {}, state = "active"): Reach =>
  ({
    exporter: {
      cluster: "us",
      namespace: "shop",
      name: "pay",
      because: "us/sum/service/shop/pay",
      member: { state },
    },
    portKey: "http",
    link: "normal",
    because: [],
    ...more,
  }) as unknown as Reach;

/** How often candidates were made for these questions, one after the other. */
function made(
  ...asked: (readonly [Reach, string, number] | { readonly cluster: string; readonly key: string })[]
): number {
  const cache = new CandidateCache();
  let count = 0;
  for (const question of asked) {
    if ("key" in question) cache.changed(question);
    else
      cache.of(...question, () => {
        count += 1;
        return [] as Candidate[];
      });
  }
  return count;
}
const plain = [reach(), "flat", 1] as const;

test("the same question is answered once", () => expect(made(plain, plain, [reach(), "flat", 1])).toBe(1));

test.each([
  ["link", [reach({ link: "unreachable" }), "flat", 1]],
  ["evidence", [reach({ because: ["eu/sum/link/us"] }), "flat", 1]],
  ["member's state", [reach({}, "draining"), "flat", 1]],
  ["way", [reach(), "local", 1]],
  ["scale", [reach(), "flat", 2]],
  ["port", [reach({ portKey: "grpc" }), "flat", 1]],
] as const)("another %s is another question", (_what, other) => expect(made(plain, other)).toBe(2));

test.each([
  "service/shop/pay",
  "load/shop/pay/http/r/a",
  "endpoint/shop/pay/one",
  "membership/us",
  "command/x",
])("a change of %s is asked about again", (key) =>
  expect(made(plain, { cluster: "us", key }, plain)).toBe(2),
);

test.each([
  { cluster: "us", key: "endpoint/shop/cart/one" },
  { cluster: "ap", key: "endpoint/shop/pay/one" },
  { cluster: "us", key: "gateway/gw" },
  { cluster: "eu", key: "link/us" },
])("a change of $cluster's $key is not", (changed) => expect(made(plain, changed, plain)).toBe(1));
