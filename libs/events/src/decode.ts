/**
 * Bodies of records: encoding, and the strict decoder with its limits. Unknown fields are ignored, unknown types and
 * newer versions are kept as UnknownEvent; everything else that does not fit makes the whole record poison.
 */
import { type Code, canonicalJson, fromUtf8, utf8 } from "@hansa/core";
import { asObject, at, BadValue, bad, integer, textLike } from "./check.ts";
import type { Event, RegisterEvent } from "./event.ts";
import { parseKey } from "./keys.ts";
import {
  DEPTH_MAX,
  EVENT_BYTES_MAX,
  EVENTS_PER_RECORD_MAX,
  KEY_LENGTH_MAX,
  RECORD_BYTES_MAX,
} from "./limits.ts";
import type { RegisterType } from "./registers.ts";
import { UPCASTERS, type UpcasterTable, upcast } from "./upcast.ts";
import { checkValue, isRegisterType, snapshotBegin, snapshotComplete } from "./values.ts";

export interface Poison {
  readonly kind: "poison";
  readonly code: Code;
  readonly message: string;
}

export interface DecodedBody {
  readonly kind: "events";
  readonly events: readonly Event[];
  /** Canonical JSON of each event's `data` as sent, before upcasting: what value hashes cover in every version. */
  readonly canonical: readonly string[];
}

/** Encodes events that already fit; the writer checks them with `checkEvent` when they are set. */
export const encodeBody = (events: readonly Event[]): Uint8Array =>
  utf8(`[${events.map(encodeEvent).join(",")}]`);

/** One event as it travels: canonical JSON, so that the hash of its data is known without parsing it again. */
export const encodeEvent = (event: Event): string => envelope(event, canonicalJson(event.data));

/** Canonical too: its members are in order. `data` is canonical JSON. */
const envelope = ({ type, v, key, at: atMs }: Event, data: string): string =>
  `{"at":${atMs},"data":${data},"key":${JSON.stringify(key)},"type":${JSON.stringify(type)},"v":${v}}`;

/** Total: every input gives events or one reason. */
export function decodeBody(body: Uint8Array, table: UpcasterTable = UPCASTERS): DecodedBody | Poison {
  if (body.length > RECORD_BYTES_MAX)
    return poison("HSA2002", `a body of ${body.length} bytes exceeds ${RECORD_BYTES_MAX}`);
  const json = fromUtf8(body);
  if (json === undefined) return poison("HSA2001", "the body is not UTF-8");
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    return poison("HSA2001", "the body is not JSON");
  }
  if (!Array.isArray(list) || list.length === 0) return poison("HSA2001", "the body is not a list of events");
  if (list.length > EVENTS_PER_RECORD_MAX)
    return poison("HSA2002", `${list.length} events exceed ${EVENTS_PER_RECORD_MAX}`);
  try {
    return decodeEvents(list, table);
  } catch (error) {
    if (error instanceof BadValue) return poison("HSA2001", error.place);
    throw error;
  }
}

const poison = (code: Code, message: string): Poison => ({ kind: "poison", code, message });

function decodeEvents(list: readonly unknown[], table: UpcasterTable): DecodedBody {
  const events: Event[] = [];
  const canonical: string[] = [];
  for (const [index, item] of list.entries()) {
    at(
      `events[${index}]`,
      (value) => {
        const data = asObject(value).data ?? null;
        checkJson(data, DEPTH_MAX);
        events.push(decodeEvent(value, table));
        canonical.push(canonicalJson(data));
      },
      item,
    );
  }
  return { kind: "events", events, canonical };
}

const typeName = textLike("an event type", 64, (value) => /^[A-Z][A-Za-z0-9]*$/.test(value));
const version = integer(1, 1_000_000);
const atMs = integer(0, Number.MAX_SAFE_INTEGER);
/** Visible ASCII also for keys that this version cannot parse: digests write one key per line. */
const keyText = textLike("a key", KEY_LENGTH_MAX, (value) => /^[!-~]*$/.test(value));

/** Decodes one parsed event. Throws BadValue. */
function decodeEvent(value: unknown, table: UpcasterTable): Event {
  const members = asObject(value);
  const type = at("type", typeName, members.type);
  const envelope = {
    v: at("v", version, members.v),
    key: at("key", keyText, members.key),
    at: at("at", atMs, members.at),
  };
  const data = members.data ?? null;
  if (type === "SnapshotBegin" || type === "SnapshotComplete") {
    if (envelope.key !== "") return bad("a marker has an empty key");
    return type === "SnapshotBegin"
      ? { type, ...envelope, data: at("data", snapshotBegin, data) }
      : { type, ...envelope, data: at("data", snapshotComplete, data) };
  }
  if (!isRegisterType(type)) return { type, ...envelope, data, unknown: true };
  return decodeRegister(type, envelope, data, table);
}

function decodeRegister(
  type: RegisterType,
  envelope: { readonly v: number; readonly key: string; readonly at: number },
  data: unknown,
  table: UpcasterTable,
): Event {
  const raised = data === null ? { kind: "current" as const, data } : upcast(type, envelope.v, data, table);
  if (raised.kind === "newer") return { type, ...envelope, data, unknown: true };
  const key = parseKey(envelope.key);
  if (key?.type !== type) return bad(`key: \`${envelope.key.slice(0, 80)}\` is no key of ${type}`);
  const decoded = raised.data === null ? null : checkValue(key, raised.data);
  return { type, ...envelope, data: decoded } as RegisterEvent;
}

/** Bounds depth and refuses numbers that JSON texts can hold but canonical JSON cannot (1e999). */
function checkJson(value: unknown, depth: number): void {
  if (typeof value === "number" && !Number.isFinite(value)) bad("a number is not finite");
  if (typeof value !== "object" || value === null) return;
  if (depth === 0) bad(`nested deeper than ${DEPTH_MAX}`);
  for (const member of Object.values(value)) checkJson(member, depth - 1);
}

export interface PreparedEvent {
  readonly event: RegisterEvent;
  /** As it travels; joined by commas inside brackets this is a body. */
  readonly json: string;
  readonly sizeBytes: number;
  /** Canonical JSON of the data. */
  readonly canonical: string;
}

/** Rebuilds an event from its known fields and encodes it once. A text = why readers would refuse it. For writers. */
export function prepareEvent(event: RegisterEvent): PreparedEvent | string {
  try {
    checkJson(event.data, DEPTH_MAX);
    const decoded = decodeEvent(event, UPCASTERS);
    if ("unknown" in decoded || decoded.type === "SnapshotBegin" || decoded.type === "SnapshotComplete")
      return `${event.key}: version ${event.v} of ${event.type} is not one that this build writes`;
    const canonical = canonicalJson(decoded.data);
    const json = envelope(decoded, canonical);
    const sizeBytes = utf8(json).length;
    if (sizeBytes > EVENT_BYTES_MAX) return `${event.key}: ${sizeBytes} bytes exceed ${EVENT_BYTES_MAX}`;
    return { event: decoded, json, sizeBytes, canonical };
  } catch (error) {
    if (error instanceof BadValue) return `${String(event.key)}: ${error.place}`;
    throw error;
  }
}
