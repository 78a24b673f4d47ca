/** A message as gRPC sends it. Streams that send the same bytes share one frame. */

const PREFIX_BYTES = 5;

/** By message: all streams push a change one after the other, each type with the same bytes. */
const frames = new WeakMap<Uint8Array, Buffer>();

export function frameOf(message: Uint8Array): Buffer {
  const known = frames.get(message);
  if (known !== undefined) return known;
  // Not of the pool: a slow client would keep the whole pool page.
  const frame = Buffer.allocUnsafeSlow(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  frames.set(message, frame);
  return frame;
}
