/** Late records over HTTPS; what they are and who may bring them: leader/late-records.ts. */
import { RECORD_BYTES_MAX } from "@hansa/events";
import * as z from "zod";
import { takeLate } from "../../leader/late-records.ts";
import type { Hub } from "../hub.ts";
import type { Route } from "../route.ts";

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

export const recordRoutes = (hub: Hub): Route[] => [
  {
    method: "POST",
    path: "/v1/records",
    kind: "RecordsTaken",
    summary: "Takes records that left the stream before they were archived",
    access: "agent",
    body: late,
    bodyBytesMax: BODY_BYTES_MAX,
    lead: async ({ body, principal }, leader) => {
      const bringer = principal?.role === "agent" ? principal.cluster : null;
      const { records } = body as z.output<typeof late>;
      const { outcome, results } = await takeLate(hub, leader, bringer, records);
      return {
        data: { results, recordsNew: outcome.recordsNew },
        position: outcome.position,
        committedMs: outcome.committedMs,
      };
    },
  },
];
