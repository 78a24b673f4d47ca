/**
 * Small words for building protobuf messages. Owns no meaning: durations, ADS references, typed extensions, unknown
 * fields. Encoding is deterministic: fields go out in number order, callers sort lists and maps.
 */
import {
  type AddressSchema,
  type Any,
  ApiVersion,
  anyPack,
  type ConfigSourceSchema,
  create,
  type DescMessage,
  type Duration,
  DurationSchema,
  type MessageInitShape,
  toBinary,
} from "../../gen/index.ts";

/** What a message may be built from: plain fields, so that parts can be spread into a whole. */
export type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, { readonly $typeName: string }>;

export const packed = <Desc extends DescMessage>(schema: Desc, init: Init<Desc>): Any =>
  anyPack(schema, create(schema, init as MessageInitShape<Desc>));

export const encoded = <Desc extends DescMessage>(schema: Desc, init: Init<Desc>): Uint8Array =>
  toBinary(schema, create(schema, init as MessageInitShape<Desc>));

/** A named extension: the shape that filters, validators, loggers and transport sockets share. */
export const extension = <Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: Init<Desc>,
): { name: string; configType: { case: "typedConfig"; value: Any } } => ({
  name,
  configType: { case: "typedConfig", value: packed(schema, init) },
});

/** envoy.config.core.v3.TypedExtensionConfig. */
export const typed = <Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: Init<Desc>,
): { name: string; typedConfig: Any } => ({ name, typedConfig: packed(schema, init) });

export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) });
}

/** Everything dynamic comes over the one ADS stream. */
export const ADS: Init<typeof ConfigSourceSchema> = {
  resourceApiVersion: ApiVersion.V3,
  configSourceSpecifier: { case: "ads", value: {} },
};

/** `::` is every address of both families. */
export const socketAddress = (address: string, port: number): Init<typeof AddressSchema> => ({
  address: {
    case: "socketAddress",
    value: { address, ipv4Compat: address === "::", portSpecifier: { case: "portValue", value: port } },
  },
});

/** A field that the generated code is too old to know, as protobuf-es keeps it and writes it out again. */
export interface UnknownField {
  readonly no: number;
  /** 0 varint, 2 length-delimited. */
  readonly wireType: number;
  readonly data: Uint8Array;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

export const newerField = (no: number, data: Uint8Array): UnknownField => ({
  no,
  wireType: 2,
  data: Uint8Array.from([...varint(data.length), ...data]),
});

/** A message that holds one length-delimited field. */
export const field = (no: number, data: Uint8Array): Uint8Array =>
  Uint8Array.from([...varint(no * 8 + 2), ...varint(data.length), ...data]);

/** google.protobuf.UInt32Value: field 1, a varint. */
export const uint32Value = (value: number): Uint8Array => Uint8Array.from([0x08, ...varint(value)]);

export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A map whose iteration order does not depend on how it was filled. */
export const sortedMap = <Value>(entries: Iterable<readonly [string, Value]>): Map<string, Value> =>
  new Map([...entries].sort(([a], [b]) => byText(a, b)));

/** Of an IPv4 or IPv6 range, "10.0.0.0/8". */
export function cidrRange(cidr: string): { addressPrefix: string; prefixLen: number } {
  const [addressPrefix = "", bits] = cidr.split("/");
  return { addressPrefix, prefixLen: Number(bits) };
}
