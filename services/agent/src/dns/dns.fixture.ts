/** A zone over services that a test names, asked and read through dns-packet, which the server's own reader is not. */
import type { Metrics, Random } from "@hansa/core";
import { noMetrics, silentLog } from "@hansa/core";
import { type Answer, type DecodedPacket, decode, encode, type Packet, type RecordType } from "dns-packet";
import type { DnsEndpoint, DnsImport, DnsIndex } from "./imports.ts";
import { Responder, type Transport } from "./responder.ts";
import { Zone } from "./zone.ts";

export const SERIAL = 1_700_000_000;

export const clusterSetIp = (more: Partial<DnsImport> = {}): DnsImport => ({
  namespace: "shop",
  name: "pay",
  type: "ClusterSetIP",
  ports: [
    { name: "http", portKey: "http", port: 80, transport: "TCP" },
    { name: "dns", portKey: "dns", port: 53, transport: "UDP" },
    { name: "", portKey: "p--9090", port: 9090, transport: "TCP" },
  ],
  ips: ["10.42.0.7", "fd42::7"],
  clusters: [{ cluster: "eu", endpoints: [] }],
  ...more,
});

export const endpoint = (address: string, more: Partial<DnsEndpoint> = {}): DnsEndpoint => ({
  address,
  family: address.includes(":") ? "IPv6" : "IPv4",
  hostname: "",
  ready: true,
  ports: { http: 8080 },
  ...more,
});

export const headless = (
  clusters: Readonly<Record<string, readonly DnsEndpoint[]>>,
  more: Partial<DnsImport> = {},
): DnsImport => ({
  ...clusterSetIp(),
  name: "db",
  type: "Headless",
  ips: [],
  clusters: Object.entries(clusters).map(([cluster, endpoints]) => ({ cluster, endpoints })),
  ...more,
});

export class TestIndex implements DnsIndex {
  synced = true;
  readonly #services = new Map<string, DnsImport>();

  constructor(...services: readonly DnsImport[]) {
    for (const service of services) this.set(service);
  }

  set(service: DnsImport): void {
    this.#services.set(`${service.namespace}/${service.name}`, service);
  }

  remove(service: DnsImport): void {
    this.#services.delete(`${service.namespace}/${service.name}`);
  }

  get(namespace: string, name: string): DnsImport | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  hasNamespace(namespace: string): boolean {
    return [...this.#services.keys()].some((key) => key.startsWith(`${namespace}/`));
  }
}

export const fixedRandom = (float = 0): Random => ({
  float: () => float,
  bytes: (count) => new Uint8Array(count),
});

export function responderOf(
  index: DnsIndex,
  ports: { readonly random?: Random; readonly metrics?: Metrics } = {},
): Responder {
  const zone = new Zone(index, SERIAL, ["10.9.8.7", "::"]);
  return new Responder(zone, { random: fixedRandom(), metrics: noMetrics, log: silentLog, ...ports });
}

export interface AskOptions {
  readonly transport?: Transport;
  /** What the asker takes, by EDNS; 0: no EDNS. */
  readonly payloadBytes?: number;
  readonly random?: Random;
  readonly more?: Partial<Packet>;
}

export const queryOf = (
  name: string,
  type: string,
  { payloadBytes = 1232, more = {} }: AskOptions = {},
): Buffer =>
  encode({
    type: "query",
    id: 4711,
    flags: 0x0100,
    questions: [{ name, type: type as RecordType }],
    additionals:
      payloadBytes === 0
        ? []
        : [
            {
              name: ".",
              type: "OPT",
              udpPayloadSize: payloadBytes,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
    ...more,
  });

export interface Told extends DecodedPacket {
  readonly rcode: string;
  readonly bytes: number;
  /** Without the OPT. */
  readonly extra: readonly Answer[];
}

export function ask(index: DnsIndex, name: string, type: string, options: AskOptions = {}): Told {
  const responder = responderOf(index, options.random === undefined ? {} : { random: options.random });
  const message = responder.respond(queryOf(name, type, options), options.transport ?? "udp");
  if (message === undefined) throw new Error("no answer");
  return told(message);
}

export function told(message: Buffer): Told {
  const packet = decode(message) as DecodedPacket & { readonly rcode: string };
  const extra = (packet.additionals ?? []).filter(({ type }) => type !== "OPT");
  return { ...packet, bytes: message.length, extra };
}

/** `owner data` of each record, as the asker reads it. */
export const lines = (records: readonly Answer[] | undefined): string[] =>
  (records ?? []).map((record) => {
    const data = (record as { readonly data: unknown }).data;
    return `${record.name} ${record.type} ${typeof data === "string" ? data : shown(data)}`;
  });

function shown(data: unknown): string {
  if (Array.isArray(data)) return data.map(String).join(" ");
  const { target, port, mname } = data as { target?: string; port?: number; mname?: string };
  return mname ?? `${port} ${target}`;
}
