/**
 * Reads what the check asks of a ClusterLoadAssignment straight from its bytes: it is read at every endpoint change, and
 * the generated code builds five objects per endpoint for it. Knows field numbers, judges nothing.
 */

/** Of one endpoint; "" and undefined where the bytes say nothing of it. */
export interface ReadEndpoint {
  readonly address: string;
  readonly port: number;
  /** Value of `cluster` under metadata `envoy.transport_socket_match`. */
  readonly match: string | undefined;
}

export interface ReadAssignment {
  readonly clusterName: string;
  readonly endpoints: readonly ReadEndpoint[];
  readonly weightedPriorityHealth: boolean;
}

const MATCH_FILTER = "envoy.transport_socket_match";
const MATCH_KEY = "cluster";

/** Walks the fields of one message; unknown fields and other wire types are skipped. Throws RangeError for torn bytes. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  /** Of the field that `next` went to: its number, and its value or its place. */
  number = 0;
  value = 0;
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.value = 0;
    this.start = this.end = this.#at;
    const wireType = tag & 7;
    if (wireType === 0) this.value = this.#varint();
    else if (wireType === 2) this.#span(this.#varint());
    else if (wireType === 1) this.#span(8);
    else if (wireType === 5) this.#span(4);
    else throw new RangeError(`wire type ${wireType}`);
    return true;
  }

  inner(): Fields {
    return new Fields(this.#bytes, this.start, this.end);
  }

  /** Names and addresses are ASCII; a byte beyond it gives a text that matches nothing. */
  text(): string {
    let text = "";
    for (let at = this.start; at < this.end; at++) text += String.fromCharCode(this.#bytes[at] as number);
    return text;
  }

  #span(length: number): void {
    this.start = this.#at;
    this.end = this.start + length;
    if (this.end > this.#end) throw new RangeError("a field ends beyond its message");
    this.#at = this.end;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; this.#at < this.#end; scale *= 128) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new RangeError("a number ends beyond its message");
  }
}

export function readAssignment(bytes: Uint8Array): ReadAssignment {
  const endpoints: ReadEndpoint[] = [];
  let clusterName = "";
  let weightedPriorityHealth = false;
  for (const fields = new Fields(bytes); fields.next(); ) {
    if (fields.number === 1) clusterName = fields.text();
    else if (fields.number === 2) readLocality(fields.inner(), endpoints);
    else if (fields.number === 4)
      for (const policy = fields.inner(); policy.next(); )
        if (policy.number === 6) weightedPriorityHealth = policy.value === 1;
  }
  return { clusterName, endpoints, weightedPriorityHealth };
}

/** LocalityLbEndpoints.lb_endpoints. */
function readLocality(locality: Fields, endpoints: ReadEndpoint[]): void {
  while (locality.next()) if (locality.number === 2) endpoints.push(readEndpoint(locality.inner()));
}

/** LbEndpoint: endpoint (1) and metadata (3). */
function readEndpoint(endpoint: Fields): ReadEndpoint {
  let socket: { readonly address: string; readonly port: number } | undefined;
  let match: string | undefined;
  while (endpoint.next()) {
    if (endpoint.number === 1) socket = readSocket(endpoint.inner());
    else if (endpoint.number === 3) match = readMatch(endpoint.inner());
  }
  return { address: socket?.address ?? "", port: socket?.port ?? 0, match };
}

/** Endpoint.address.socket_address: address (2), port_value (3). */
function readSocket(endpoint: Fields): { readonly address: string; readonly port: number } {
  let address = "";
  let port = 0;
  while (endpoint.next()) {
    if (endpoint.number !== 1) continue;
    for (const outer = endpoint.inner(); outer.next(); ) {
      if (outer.number !== 1) continue;
      for (const socket = outer.inner(); socket.next(); ) {
        if (socket.number === 2) address = socket.text();
        else if (socket.number === 3) port = socket.value;
      }
    }
  }
  return { address, port };
}

/** Metadata.filter_metadata[MATCH_FILTER].fields[MATCH_KEY].string_value. */
function readMatch(metadata: Fields): string | undefined {
  const struct = valueAt(metadata, MATCH_FILTER);
  const value = struct && valueAt(struct, MATCH_KEY);
  while (value?.next()) if (value.number === 3) return value.text();
  return undefined;
}

/** The value of an entry of the map that is field 1 of the message. */
function valueAt(message: Fields, key: string): Fields | undefined {
  while (message.next()) {
    if (message.number !== 1) continue;
    let name = "";
    let value: Fields | undefined;
    for (const entry = message.inner(); entry.next(); ) {
      if (entry.number === 1) name = entry.text();
      else if (entry.number === 2) value = entry.inner();
    }
    if (name === key) return value;
  }
  return undefined;
}
