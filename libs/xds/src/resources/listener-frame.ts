/**
 * The part of a listener outside its filter chains. Changing it replaces the listener and drains every connection
 * (envoy-dataplane §2.1), so it is made here only, from constants and the address, and compared before it is served.
 */
import {
  type AccessLogSchema,
  create,
  equals,
  fromBinary,
  type ListenerFilterSchema,
  ListenerSchema,
  TlsInspectorSchema,
  TrafficDirection,
} from "../../gen/index.ts";
import { extension, type Init, socketAddress } from "./message.ts";

export interface FrameInput {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly direction: "inbound" | "outbound";
  readonly log: Init<typeof AccessLogSchema>;
}

const tlsInspector = (): Init<typeof ListenerFilterSchema> =>
  extension("envoy.filters.listener.tls_inspector", TlsInspectorSchema, {});

/** Inbound listeners read the SNI first. One proxy per port: two must never share it silently. */
export const listenerFrame = (input: FrameInput): Init<typeof ListenerSchema> => ({
  name: input.name,
  address: socketAddress(input.address, input.port),
  trafficDirection: input.direction === "inbound" ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
  enableReusePort: false,
  accessLog: [input.log],
  listenerFilters: input.direction === "inbound" ? [tlsInspector()] : [],
});

/** Fields that Envoy updates in place. */
const IN_PLACE = new Set(["filterChains", "defaultFilterChain", "filterChainMatcher"]);

/** Names of the listener-level fields in which two encoded listeners differ: empty = an update drains nobody else. */
export function compareListenerFrame(before: Uint8Array, after: Uint8Array): readonly string[] {
  const [a, b] = [fromBinary(ListenerSchema, before), fromBinary(ListenerSchema, after)];
  return ListenerSchema.fields
    .filter((field) => !IN_PLACE.has(field.localName))
    .filter((field) => {
      const only = (listener: typeof a): typeof a => {
        const copy = create(ListenerSchema);
        const key = field.oneof?.localName ?? field.localName;
        Object.assign(copy, { [key]: listener[key as keyof typeof a] });
        return copy;
      };
      return !equals(ListenerSchema, only(a), only(b));
    })
    .map((field) => field.name)
    .sort();
}
