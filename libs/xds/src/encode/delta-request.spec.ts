import * as fc from "fast-check";
import { expect, test } from "vitest";
import { create, DeltaDiscoveryRequestSchema, toBinary } from "../../gen/index.ts";
import { decodeDeltaRequest } from "./delta-request.ts";

const text = fc.string({ unit: "grapheme", maxLength: 80 }).filter((value) => !value.startsWith("\uFEFF"));
const request = fc.record({
  nodeId: fc.option(text, { nil: undefined }),
  typeUrl: text,
  subscribe: fc.array(text, { maxLength: 5 }),
  unsubscribe: fc.array(text, { maxLength: 5 }),
  versions: fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true }),
  nonce: text,
  error: fc.option(fc.record({ code: fc.nat(20), message: text }), { nil: undefined }),
});

test("decodes what the generated code encodes, with fields it does not use in between", () => {
  void fc.assert(
    fc.property(request, (input) => {
      const bytes = toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, {
          ...(input.nodeId === undefined
            ? {}
            : {
                node: { id: input.nodeId, cluster: "c", userAgentName: "envoy", locality: { region: "r" } },
              }),
          typeUrl: input.typeUrl,
          resourceNamesSubscribe: input.subscribe,
          resourceNamesUnsubscribe: input.unsubscribe,
          initialResourceVersions: input.versions,
          responseNonce: input.nonce,
          resourceLocatorsSubscribe: [{ name: "ignored" }],
          ...(input.error === undefined ? {} : { errorDetail: input.error }),
        }),
      );
      expect(decodeDeltaRequest(bytes)).toEqual({
        kind: "request",
        request: {
          nodeId: input.nodeId,
          typeUrl: input.typeUrl,
          subscribe: input.subscribe,
          unsubscribe: input.unsubscribe,
          initialVersions: new Map(Object.entries(input.versions)),
          nonce: input.nonce,
          error: input.error,
        },
      });
    }),
    { numRuns: 500 },
  );
});

test("is total: any bytes give a value", () => {
  void fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(["request", "malformed", "too-large"]).toContain(decodeDeltaRequest(bytes).kind);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ["ends within a length", [0x1a]],
  ["a length beyond the end", [0x1a, 5, 65]],
  ["field number 0", [0x00]],
  ["a group", [0x0b]],
  ["a name that is not UTF-8", [0x1a, 1, 0xff]],
  ["an endless number", [0x08, ...Array<number>(10).fill(0x80)]],
])("refuses %s", (_what, bytes) => {
  expect(decodeDeltaRequest(Uint8Array.from(bytes)).kind).toBe("malformed");
});

test("limits names and their length, saying which field", () => {
  const encode = (names: string[]) =>
    toBinary(
      DeltaDiscoveryRequestSchema,
      create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: names }),
    );
  const limits = { namesMax: 2, nameBytesMax: 3 };
  expect(decodeDeltaRequest(encode(["a", "b"]), limits).kind).toBe("request");
  expect(decodeDeltaRequest(encode(["a", "b", "c"]), limits)).toEqual({
    kind: "too-large",
    message: "resource_names_subscribe: more than 2 names",
  });
  expect(decodeDeltaRequest(encode(["abcd"]), limits)).toMatchObject({ kind: "too-large" });
});
