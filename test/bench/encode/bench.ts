/**
 * Encoding of one ClusterLoadAssignment: the hand encoder against protobuf-es's own, in turns, on the message that an agent
 * makes for 100 endpoints of another cluster on the same flat network. CPU of this process, best of the turns: a neighbour
 * on the machine makes a turn dearer, never cheaper.
 */
import { encodeClusterLoadAssignment, HEALTH, proto } from "@hansa/xds";
import type { Bench } from "../bench.ts";

const ENDPOINTS = 100;
const MICROSECONDS_MAX = 8;

const match = { cluster: "eu" };
const assignment = {
  clusterName: "http.pay.shop.svc.lab.hansa",
  overprovisioningFactor: 140,
  weightedPriorityHealth: true,
  localities: [
    {
      region: "eu",
      zone: "a",
      subZone: "eu",
      priority: 0,
      endpoints: Array.from({ length: ENDPOINTS }, (_, host) => ({
        address: `10.0.1.${host}`,
        port: 8080,
        health: HEALTH.healthy,
        weight: 1,
        transportMatch: match,
      })),
    },
  ],
};

export const bench: Bench = {
  name: "encode",
  about: `one ClusterLoadAssignment of ${ENDPOINTS} endpoints`,
  run({ quick, log }) {
    const bytes = encodeClusterLoadAssignment(assignment);
    const schema = proto.ClusterLoadAssignmentSchema;
    const message = proto.fromBinary(schema, bytes);
    if (Buffer.compare(proto.toBinary(schema, message), bytes) !== 0)
      throw new Error("the two encoders disagree");
    const turns = quick ? 3 : 20;
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      ours.push(cpuUsPerCall(quick ? 2000 : 10_000, () => encodeClusterLoadAssignment(assignment)));
      theirs.push(cpuUsPerCall(quick ? 50 : 100, () => proto.toBinary(schema, message)));
    }
    log(`  hand encoder µs per turn: ${ours.map((us) => us.toFixed(1)).join(" ")}`);
    const own = Math.min(...ours);
    const peer = Math.min(...theirs);
    return Promise.resolve([
      {
        figure: `encode one ${ENDPOINTS}-endpoint ClusterLoadAssignment (${bytes.length} bytes)`,
        reach: `≤ ${MICROSECONDS_MAX} µs CPU`,
        measured: `${own.toFixed(1)} µs, ${(peer / own).toFixed(0)}× cheaper`,
        peer: `protobuf-es toBinary ${peer.toFixed(0)} µs`,
        kept: own <= MICROSECONDS_MAX,
      },
    ]);
  },
};

function cpuUsPerCall(calls: number, run: () => unknown): number {
  const before = process.cpuUsage();
  for (let call = 0; call < calls; call += 1) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
