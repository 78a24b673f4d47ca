import * as fc from "fast-check";
import { expect, test } from "vitest";
import { create, DeltaDiscoveryResponseSchema, fromBinary, toBinary } from "../../gen/index.ts";
import { encodeDeltaResponse } from "./delta-response.ts";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const response = fc.record({
  typeUrl: text,
  nonce: text,
  removed: fc.array(text, { maxLength: 5 }),
  resources: fc.array(fc.record({ name: text, version: text, message: fc.uint8Array({ maxLength: 300 }) }), {
    maxLength: 6,
  }),
});

test("the hand encoder gives the bytes of the generated code", () => {
  void fc.assert(
    fc.property(response, ({ typeUrl, nonce, removed, resources }) => {
      const message = create(DeltaDiscoveryResponseSchema, {
        typeUrl,
        nonce,
        removedResources: removed,
        resources: resources.map(({ name, version, message: value }) => ({
          name,
          version,
          resource: { typeUrl, value },
        })),
      });
      expect(encodeDeltaResponse({ typeUrl, nonce, removed, resources })).toEqual(
        toBinary(DeltaDiscoveryResponseSchema, message),
      );
    }),
    { numRuns: 500 },
  );
});

test("a response larger than the scratch buffer is encoded whole", () => {
  const resources = Array.from({ length: 40 }, (_, index) => ({
    name: `name-${index}`,
    version: "v",
    message: new Uint8Array(10_000).fill(index),
  }));
  const bytes = encodeDeltaResponse({ typeUrl: "t", nonce: "1", removed: ["gone"], resources });
  const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  expect(response.resources.map(({ name }) => name)).toEqual(resources.map(({ name }) => name));
  expect(
    response.resources.every(({ resource }, index) => resource?.value.every((byte) => byte === index)),
  ).toBe(true);
});
