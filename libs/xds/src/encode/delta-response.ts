/**
 * Hand encoder of DeltaDiscoveryResponse. A resource is encoded once per version as a whole field of the response
 * (`encodeResourceField`); a response is those shared bytes joined, plus type, nonce and removals.
 */
import { ReverseWriter } from "./reverse-writer.ts";

const writer = new ReverseWriter(65_536);

export interface EncodedResource {
  readonly field: Uint8Array<ArrayBuffer>;
  /** Where the message stands in it. */
  readonly message: Uint8Array<ArrayBuffer>;
}

/** Field 2 of DeltaDiscoveryResponse: Resource{version = 1, resource = 2 Any{type_url, value}, name = 3}. */
export function encodeResourceField(
  typeUrl: string,
  name: string,
  version: string,
  message: Uint8Array,
): EncodedResource {
  const resource = writer.written;
  writer.string(3, name);
  const any = writer.written;
  writer.bytes(2, message);
  writer.string(1, typeUrl);
  writer.nested(2, any);
  writer.string(1, version);
  writer.nested(2, resource);
  const field = writer.finish();
  const end = field.length - any;
  return { field, message: field.subarray(end - message.length, end) };
}

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** Fields of encodeResourceField. */
  readonly resourceFields: readonly Uint8Array[];
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
  for (let index = response.resourceFields.length - 1; index >= 0; index -= 1)
    writer.raw(response.resourceFields[index] as Uint8Array);
}
