/**
 * Late records, verbatim: those that left the stream before the archive had them. A member brings its own; anybody may
 * bring back the hub's own. Refused as a whole where one does not verify.
 */
import { fromBase64, HansaError } from "@hansa/core";
import { type BusRecord, fromHeaders, recordHash, verifyRecord } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { CommitOutcome } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import type { Leader } from "./leader.ts";

export interface LateRecord {
  readonly headers: Readonly<Record<string, string>>;
  /** base64. */
  readonly body: string;
}

export interface LateTaken {
  readonly outcome: CommitOutcome;
  readonly results: readonly {
    readonly lane: string;
    readonly epoch: number;
    readonly seq: number;
    readonly kind: "archived" | "refused";
  }[];
}

type Verifier = Pick<LeaderContext, "keys" | "crypto">;

/** `bringer`: the cluster whose agent brings them; null for an operator, who may bring anybody's. */
export async function takeLate(
  hub: Verifier,
  leader: Leader,
  bringer: string | null,
  items: readonly LateRecord[],
): Promise<LateTaken> {
  const fed = await leader.ready();
  const records = items.map((item, index) => decode(hub, fed, bringer, item, `records[${index}]`));
  const outcome = await leader.addLate(records);
  const equivocal = new Set(outcome.equivocations.map(({ hash }) => hash));
  const results = records.map(({ record }) => {
    const { lane, epoch, seq } = record.header;
    const isRefused = equivocal.has(recordHash(record, hub.crypto));
    return { lane, epoch, seq, kind: isRefused ? ("refused" as const) : ("archived" as const) };
  });
  return { outcome, results };
}

function decode(
  { keys, crypto }: Verifier,
  fed: Federation,
  bringer: string | null,
  item: LateRecord,
  place: string,
): BusRecord {
  const headers = new Map(Object.entries(item.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const header = fromHeaders((name) => headers.get(name.toLowerCase()));
  const body = fromBase64(item.body);
  if (header === undefined || body === undefined)
    throw new HansaError("HSA2001", `${place}: headers or body do not decode`);
  const source = fed.source(header.source);
  if (source === undefined) throw new HansaError("HSA2006", `${place}: source ${header.source} is not known`);
  if (bringer !== null && source.cluster !== bringer && source.cluster !== "hub")
    throw new HansaError("HSA3002", `${place}: of ${source.cluster}; the token is of ${bringer}`);
  const record = { header, body };
  if (!verifyRecord(record, source.signingKey, keys.fingerprint, crypto))
    throw new HansaError(
      "HSA2004",
      `${place}: the signature does not verify under the key of ${source.cluster}`,
    );
  return { record, account: header.source, lane: header.lane, streamSeq: 0, previousStreamSeq: 0 };
}
