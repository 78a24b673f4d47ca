import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ClusterLoadAssignmentSchema, create, fromBinary, toBinary } from "../../gen/index.ts";
import {
  type Assignment,
  type AssignmentEndpoint,
  type AssignmentLocality,
  encodeClusterLoadAssignment,
  type Health,
} from "./cluster-load-assignment.ts";

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const endpoint: fc.Arbitrary<AssignmentEndpoint> = fc.record(
  {
    address: fc.oneof(fc.ipV4(), fc.ipV6(), text),
    port: fc.nat(65_535),
    health: fc.constantFrom<Health>(0, 1, 2, 3, 4, 5),
    weight: fc.nat(2 ** 32 - 1),
    transportMatch: fc.dictionary(fc.constantFrom("cluster", "a", "zz"), text, { maxKeys: 1 }),
    disableActiveHealthCheck: fc.boolean(),
    hostname: text,
  },
  { requiredKeys: ["address", "port"] },
);
const locality: fc.Arbitrary<AssignmentLocality> = fc.record(
  {
    region: text,
    zone: text,
    subZone: text,
    priority: fc.nat(128),
    weight: fc.nat(1000),
    endpoints: fc.array(endpoint, { maxLength: 5 }),
  },
  { requiredKeys: ["region", "priority", "endpoints"] },
);
const assignment: fc.Arbitrary<Assignment> = fc.record(
  {
    clusterName: text,
    localities: fc.array(locality, { maxLength: 4 }),
    overprovisioningFactor: fc.nat(10_000),
    weightedPriorityHealth: fc.boolean(),
  },
  { requiredKeys: ["clusterName", "localities"] },
);

function generated({ clusterName, localities, ...policy }: Assignment): Uint8Array {
  const message = create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: localities.map(({ region, zone, subZone, priority, weight, endpoints }) => ({
      locality: { region, zone: zone ?? "", subZone: subZone ?? "" },
      priority,
      ...(weight === undefined ? {} : { loadBalancingWeight: weight }),
      lbEndpoints: endpoints.map((one) => ({
        hostIdentifier: {
          case: "endpoint" as const,
          value: {
            address: {
              address: {
                case: "socketAddress" as const,
                value: {
                  address: one.address,
                  portSpecifier: { case: "portValue" as const, value: one.port },
                },
              },
            },
            ...(one.disableActiveHealthCheck
              ? { healthCheckConfig: { disableActiveHealthCheck: true } }
              : {}),
            hostname: one.hostname ?? "",
          },
        },
        healthStatus: one.health ?? 0,
        ...(one.weight === undefined ? {} : { loadBalancingWeight: one.weight }),
        ...(one.transportMatch === undefined
          ? {}
          : { metadata: { filterMetadata: { "envoy.transport_socket_match": one.transportMatch } } }),
      })),
    })),
    ...(Object.keys(policy).length === 0 ? {} : { policy }),
  });
  return toBinary(ClusterLoadAssignmentSchema, message);
}

test("the hand encoder gives the bytes of the generated code", () => {
  void fc.assert(
    fc.property(assignment, (input) => {
      expect(encodeClusterLoadAssignment(input)).toEqual(generated(input));
    }),
    { numRuns: 500 },
  );
});

test("an assignment larger than the scratch buffer is encoded whole", () => {
  const endpoints = Array.from({ length: 5000 }, (_, index) => ({
    address: `10.1.${index >> 8}.${index & 255}`,
    port: 15_006,
    weight: 1 + (index % 7),
    transportMatch: { cluster: "eu" },
  }));
  const input = {
    clusterName: "http.pay.shop.svc.lab.hansa",
    localities: [{ region: "eu", priority: 0, endpoints }],
  };
  const encoded = encodeClusterLoadAssignment(input);
  expect(encoded.length).toBeGreaterThan(65_536);
  expect(encoded).toEqual(generated(input));
  const decoded = fromBinary(ClusterLoadAssignmentSchema, encoded);
  expect(decoded.endpoints[0]?.lbEndpoints).toHaveLength(5000);
});

test("transport match keys are sorted, so that equal input gives equal bytes", () => {
  const one = (transportMatch: Record<string, string>) =>
    encodeClusterLoadAssignment({
      clusterName: "c",
      localities: [
        { region: "r", priority: 0, endpoints: [{ address: "1.2.3.4", port: 1, transportMatch }] },
      ],
    });
  expect(one({ a: "1", b: "2" })).toEqual(one({ b: "2", a: "1" }));
  expect(() => fromBinary(ClusterLoadAssignmentSchema, one({ a: "1", b: "2" }))).not.toThrow();
});

const match = { cluster: "eu" };
test.each<Partial<AssignmentEndpoint>>([
  { address: "5.6.7.8" },
  { port: 2 },
  { weight: 8 },
  { health: 3 },
  { transportMatch: { cluster: "us" } },
  { hostname: "h" },
  { disableActiveHealthCheck: true },
])("neighbours may differ in %j alone", (difference) => {
  const one = { address: "1.2.3.4", port: 1, weight: 7, health: 1, transportMatch: match } as const;
  const endpoints = [one, { ...one, ...difference }, { ...one, address: "9.9.9.9" }, one];
  const input = { clusterName: "c", localities: [{ region: "eu", priority: 0, endpoints }] };
  expect(encodeClusterLoadAssignment(input)).toEqual(generated(input));
});

test("nothing of one assignment turns up in the next", () => {
  const eu = { region: "eu", priority: 0, endpoints: [{ address: "1.2.3.4", port: 1, weight: 7 }] };
  // Written first, over the place where the endpoint was.
  const empty = { region: "x".repeat(50), priority: 1, endpoints: [] };
  encodeClusterLoadAssignment({ clusterName: "c", localities: [eu] });
  const input = { clusterName: "c", localities: [eu, empty] };
  expect(encodeClusterLoadAssignment(input)).toEqual(generated(input));
});
