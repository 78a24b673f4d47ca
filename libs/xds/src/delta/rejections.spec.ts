import { expect, test } from "vitest";
import { TYPE_URL } from "../type-urls.ts";
import { ProxyMemory, REJECTIONS_MAX, type Rejection } from "./rejections.ts";

const rejection = (number: number): Rejection => ({
  typeUrl: TYPE_URL.cluster,
  name: `c${number}`,
  version: "v",
  revision: number,
  good: undefined,
  status: 3,
  message: "no",
  atMs: number,
});

test("of a proxy's refusals so many are remembered per type, the newest", () => {
  const memory = new ProxyMemory();
  for (let number = 1; number <= REJECTIONS_MAX; number++) memory.reject(rejection(number));
  expect([...(memory.ofType(TYPE_URL.cluster) ?? [])]).toHaveLength(REJECTIONS_MAX);
  memory.reject(rejection(REJECTIONS_MAX + 1));
  expect([...(memory.ofType(TYPE_URL.cluster) ?? [])]).toHaveLength(REJECTIONS_MAX);
  expect(memory.get(TYPE_URL.cluster, "c1")).toBeUndefined();
  expect(memory.get(TYPE_URL.cluster, "c2")).toBeDefined();
  expect(memory.get(TYPE_URL.cluster, `c${REJECTIONS_MAX + 1}`)).toBeDefined();
  // One type's refusals push out no other's.
  memory.reject({ ...rejection(1), typeUrl: TYPE_URL.endpoint });
  expect([...(memory.ofType(TYPE_URL.cluster) ?? [])]).toHaveLength(REJECTIONS_MAX);
});
