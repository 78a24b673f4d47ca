/** What a query is answered: the zone's decision, without a byte of it. */
import { EDE, RCODE, type Rcode, TYPE } from "./codes.ts";
import type { Query } from "./query.ts";
import type { RecordSet } from "./records.ts";
import { ANYTHING, APEX, isInZone, type Zone } from "./zone.ts";

export interface Answer {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly records?: RecordSet;
  /** SOA of a negative answer (RFC 2308 §2), without its owner, and where in the question the zone begins. */
  readonly authority?: { readonly record: Buffer; readonly skipped: number };
  readonly extended?: number;
}

const TRANSFERS: ReadonlySet<number> = new Set([251, 252]);

export function answerOf(zone: Zone, query: Query): Answer {
  const { name, type } = query;
  if (!query.inClass || !isInZone(name))
    return { rcode: RCODE.refused, authoritative: false, extended: EDE.notAuthoritative };
  if (TRANSFERS.has(type)) return { rcode: RCODE.refused, authoritative: false };
  const node = zone.find(name);
  // Nothing is told to be missing before everything was read: a resolver would remember it.
  if (node === undefined && !zone.synced)
    return { rcode: RCODE.servFail, authoritative: false, extended: EDE.notReady };
  const authority = { record: zone.soa, skipped: name.length - APEX.length };
  if (node === undefined) return { rcode: RCODE.nxDomain, authoritative: true, authority };
  const records = type === TYPE.ANY && node.types.size > 0 ? ANYTHING : node.of(type);
  if (records === undefined) return { rcode: RCODE.noError, authoritative: true, authority };
  return { rcode: RCODE.noError, authoritative: true, records };
}
