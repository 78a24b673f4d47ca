/**
 * The part of a listener outside its filter chains. Changing it replaces the listener and drains every connection
 * (envoy-dataplane §2.1), so it is made here only, from constants and the address, and compared before it is served.
 */
import {
  type AccessLogSchema,
  AnySchema,
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
  /**
   * How connections come that were made for another address (envoy-dataplane §10): `taken` = by redirection, and they
   * know where they were going; `handed` = from the listener that took them, by their destination: it binds nothing.
   */
  readonly intercepts?: "taken" | "handed";
}

const tlsInspector = (): Init<typeof ListenerFilterSchema> =>
  extension("envoy.filters.listener.tls_inspector", TlsInspectorSchema, {});

/** An empty message; the package that our code is generated from does not have it. */
const originalDestination = (): Init<typeof ListenerFilterSchema> => ({
  name: "envoy.filters.listener.original_dst",
  configType: {
    case: "typedConfig",
    value: create(AnySchema, {
      typeUrl: "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    }),
  },
});

/** Only what was dialled at the mesh's own port has an SNI; elsewhere the server may speak first. */
const tlsInspectorAt = (port: number): Init<typeof ListenerFilterSchema> => ({
  ...tlsInspector(),
  filterDisabled: {
    rule: {
      case: "notMatch",
      value: { rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } },
    },
  },
});

function listenerFilters({ direction, port, intercepts }: FrameInput): Init<typeof ListenerFilterSchema>[] {
  if (intercepts !== "taken") return direction === "inbound" ? [tlsInspector()] : [];
  return direction === "inbound" ? [originalDestination(), tlsInspectorAt(port)] : [originalDestination()];
}

/** Inbound listeners read the SNI first. One proxy per port: two must never share it silently. */
export const listenerFrame = (input: FrameInput): Init<typeof ListenerSchema> => ({
  name: input.name,
  address: socketAddress(input.address, input.port),
  trafficDirection: input.direction === "inbound" ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
  enableReusePort: false,
  accessLog: [input.log],
  listenerFilters: listenerFilters(input),
  ...(input.intercepts === "taken" && input.direction === "outbound" ? { useOriginalDst: true } : {}),
  ...(input.intercepts === "handed" ? { bindToPort: false } : {}),
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
