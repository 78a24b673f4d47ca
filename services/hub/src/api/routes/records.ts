/**
 * Late records, verbatim: those that left the stream before the archive had them. A member brings its own; anybody may
 * bring back the hub's own. Refused as a whole where one does not verify.
 */
import { fromBase64, HansaError } from "@hansa/core";
import { type BusRecord, fromHeaders, RECORD_BYTES_MAX, recordHash, verifyRecord } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import type { Federation } from "@hansa/model";
import * as z from "zod";
import type { Hub } from "../hub.ts";
import type { Principal, Route } from "../route.ts";

const RECORDS_MAX = 64;
const BODY_BYTES_MAX = 16 * 1024 * 1024;

const late = z.strictObject({
  records: z
    .array(
      z.strictObject({
        headers: z.record(z.string().max(64), z.string().max(256)),
        body: z.string().max(Math.ceil(RECORD_BYTES_MAX / 3) * 4),
      }),
    )
    .min(1)
    .max(RECORDS_MAX),
});

type LateRecord = z.output<typeof late>["records"][number];

function decode(
  hub: Hub,
  fed: Federation,
  principal: Principal | null,
  item: LateRecord,
  index: number,
): BusRecord {
  const place = `records[${index}]`;
  const headers = new Map(Object.entries(item.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const header = fromHeaders((name) => headers.get(name.toLowerCase()));
  const body = fromBase64(item.body);
  if (header === undefined || body === undefined)
    throw new HansaError("HSA2001", `${place}: headers or body do not decode`);
  const source = fed.source(header.source);
  if (source === undefined) throw new HansaError("HSA2006", `${place}: source ${header.source} is not known`);
  const isOwn = source.cluster === principal?.cluster || source.cluster === "hub";
  if (principal?.role === "agent" && !isOwn)
    throw new HansaError("HSA3002", `${place}: of ${source.cluster}; the token is of ${principal.cluster}`);
  const record = { header, body };
  if (!verifyRecord(record, source.signingKey, hub.keys.fingerprint, nodeCrypto))
    throw new HansaError(
      "HSA2004",
      `${place}: the signature does not verify under the key of ${source.cluster}`,
    );
  return { record, account: header.source, lane: header.lane, streamSeq: 0, previousStreamSeq: 0 };
}

export const recordRoutes = (hub: Hub): Route[] => [
  {
    method: "POST",
    path: "/v1/records",
    kind: "RecordsTaken",
    summary: "Takes records that left the stream before they were archived",
    access: "agent",
    body: late,
    bodyBytesMax: BODY_BYTES_MAX,
    handle: async ({ body, principal }) => {
      const leader = hub.leader();
      const fed = await leader.ready();
      const records = (body as z.output<typeof late>).records.map((item, index) =>
        decode(hub, fed, principal, item, index),
      );
      const outcome = await leader.addLate(records);
      const equivocal = new Set(outcome.equivocations.map(({ hash }) => hash));
      const results = records.map(({ record: { header, body: bytes } }) => ({
        lane: header.lane,
        epoch: header.epoch,
        seq: header.seq,
        kind: equivocal.has(recordHash({ header, body: bytes }, nodeCrypto)) ? "refused" : "archived",
      }));
      return {
        data: { results, recordsNew: outcome.recordsNew },
        position: outcome.position,
        committedMs: outcome.committedMs,
      };
    },
  },
];
