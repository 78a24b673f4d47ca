import { expect, test } from "vitest";
import { DeltaDiscoveryResponseSchema, fromBinary } from "../../gen/index.ts";
import { TYPE_URL } from "../type-urls.ts";
import { type SharedResponse, sharedResponse } from "./shared-response.ts";

const { cluster, endpoint } = TYPE_URL;
const entry = (name: string) => ({ name, version: "v", message: new Uint8Array(3) });
const decode = ({ frame }: SharedResponse) => {
  const message = frame.subarray(5);
  expect([frame[0], Buffer.from(frame).readUInt32BE(1)]).toEqual([0, message.length]);
  return fromBinary(DeltaDiscoveryResponseSchema, message);
};
const [a, b] = [entry("a"), entry("b")];

test("streams that send the same have the same bytes, also while other types are sent in between", () => {
  const first = sharedResponse(endpoint, [a, "gone"], 0);
  sharedResponse(cluster, [b], 0);
  expect(sharedResponse(endpoint, [a, "gone"], 0)).toBe(first);
  const { nonce, resources, removedResources } = decode(first);
  expect([nonce, resources.map(({ name }) => name), removedResources]).toEqual([
    String(first.nonce),
    ["a"],
    ["gone"],
  ]);
});

test("a stream that has had the nonce gets another", () => {
  const first = sharedResponse(endpoint, [a], 0);
  const second = sharedResponse(endpoint, [a], first.nonce);
  expect(second.nonce).toBeGreaterThan(first.nonce);
  expect(decode(second).nonce).toBe(String(second.nonce));
});

test.each([
  ["another resource", [b]],
  ["one more", [a, b]],
  ["fewer", []],
  ["an equal one of other bytes", [entry("a")]],
  ["its removal", ["a"]],
])("%s is another response", (_what, parts) => {
  const first = sharedResponse(endpoint, [a], 0);
  expect(sharedResponse(endpoint, parts, 0).nonce).toBeGreaterThan(first.nonce);
});

test("a type that is not served is encoded, and not kept", () => {
  const first = sharedResponse("type.googleapis.com/other", ["x"], 0);
  expect(sharedResponse("type.googleapis.com/other", ["x"], 0)).not.toBe(first);
});
