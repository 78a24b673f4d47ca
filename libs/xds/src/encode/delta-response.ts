/**
 * Hand encoder of DeltaDiscoveryResponse. A message is encoded once per version, by its builder; a response copies it
 * between the few bytes that name it, so that nothing but the message is held.
 */
import { ReverseWriter } from "./reverse-writer.ts";

const writer = new ReverseWriter(65_536);

export interface NamedMessage {
  readonly name: string;
  readonly version: string;
  /** The serialised message (Any.value). */
  readonly message: Uint8Array;
}

/** Type, version, tags and lengths. */
const AROUND_BYTES = 160;

/** What a resource takes in a response, at most: names are ASCII. */
export const resourceBytesMax = ({ name, message }: NamedMessage): number =>
  message.length + name.length + AROUND_BYTES;

/** Field 2 of DeltaDiscoveryResponse: Resource{version = 1, resource = 2 Any{type_url, value}, name = 3}. */
function writeResource(typeUrl: string, { name, version, message }: NamedMessage): void {
  const resource = writer.written;
  writer.string(3, name);
  const any = writer.written;
  writer.bytes(2, message);
  writer.string(1, typeUrl);
  writer.nested(2, any);
  writer.string(1, version);
  writer.nested(2, resource);
}

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly NamedMessage[];
  readonly removed: readonly string[];
}

/** The message alone. */
export function encodeDeltaResponse(response: DeltaResponse): Uint8Array<ArrayBuffer> {
  write(response);
  return writer.finish();
}

const GRPC_PREFIX_BYTES = 5;
const prefix = new DataView(new ArrayBuffer(GRPC_PREFIX_BYTES));

/** The message as gRPC sends it: 0 for "not compressed", its length in 4 bytes, itself. */
export function encodeResponseFrame(response: DeltaResponse): Uint8Array<ArrayBuffer> {
  write(response);
  prefix.setUint32(1, writer.written);
  writer.raw(new Uint8Array(prefix.buffer));
  return writer.finish();
}

function write(response: DeltaResponse): void {
  for (let index = response.removed.length - 1; index >= 0; index -= 1)
    writer.presentString(6, response.removed[index] as string);
  writer.string(5, response.nonce);
  writer.string(4, response.typeUrl);
  for (let index = response.resources.length - 1; index >= 0; index -= 1)
    writeResource(response.typeUrl, response.resources[index] as NamedMessage);
}
