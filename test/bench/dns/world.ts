/** What both servers serve, and what both are asked: the same records, one from an index, one from a zone file. */
import { encode, type RecordType } from "dns-packet";
import { clusterSetIp, endpoint, headless } from "../../../services/agent/src/dns/dns.fixture.ts";
import type { DnsImport } from "../../../services/agent/src/dns/imports.ts";

export const SERVICES = 5000;
const HEADLESS_SHARE = 10;
const HEADLESS_ENDPOINTS = 10;
const ZONE = "clusterset.local.";

export const services: readonly DnsImport[] = Array.from({ length: SERVICES }, (_, at) => {
  const base = { namespace: `n${at % 100}`, name: `s${at}` };
  const low = `${at >> 8}.${at & 255}`;
  if (at % HEADLESS_SHARE !== 0)
    return clusterSetIp({
      ...base,
      ips: [`10.42.${low}`],
      ports: [{ name: "http", portKey: "http", port: 80, transport: "TCP" }],
    });
  const hosts = Array.from({ length: HEADLESS_ENDPOINTS }, (_, host) =>
    endpoint(`10.${100 + host}.${low}`, { hostname: `h${host}` }),
  );
  return headless(
    { eu: hosts.slice(0, 5), us: hosts.slice(5) },
    { ...base, ports: clusterSetIp().ports.slice(0, 1) },
  );
});

const hostOf = ({ namespace, name }: DnsImport): string => `${name}.${namespace}.svc.${ZONE}`;

export function zoneFile(): string {
  const lines = [
    `$ORIGIN ${ZONE}`,
    "$TTL 5",
    `@ IN SOA ns.dns.${ZONE} hostmaster.${ZONE} 1 7200 1800 86400 5`,
    `@ IN NS ns.dns.${ZONE}`,
    "ns.dns IN A 127.0.0.1",
  ];
  for (const service of services) {
    const host = hostOf(service);
    for (const ip of service.ips)
      lines.push(`${host} IN A ${ip}`, `_http._tcp.${host} IN SRV 0 100 80 ${host}`);
    for (const { cluster, endpoints } of service.clusters)
      for (const { address, hostname } of endpoints)
        lines.push(
          `${host} IN A ${address}`,
          `${hostname}.${cluster}.${host} IN A ${address}`,
          `_http._tcp.${host} IN SRV 0 100 8080 ${hostname}.${cluster}.${host}`,
        );
  }
  return `${lines.join("\n")}\n`;
}

export interface Kind {
  readonly what: string;
  /** Share of the mix. */
  readonly weight: number;
  readonly rcode: number;
  readonly answers: number;
  question(service: number): { readonly name: string; readonly type: RecordType };
}

const plain = (pick: number): DnsImport => {
  const at = pick % SERVICES;
  return services[at % HEADLESS_SHARE === 0 ? at + 1 : at] as DnsImport;
};
const many = (pick: number): DnsImport =>
  services[(pick % (SERVICES / HEADLESS_SHARE)) * HEADLESS_SHARE] as DnsImport;

/** As a pod's resolver asks: both families at once, and names of its search path that are not there. */
export const kinds: readonly Kind[] = [
  {
    what: "A",
    weight: 35,
    rcode: 0,
    answers: 1,
    question: (pick) => ({ name: hostOf(plain(pick)), type: "A" }),
  },
  {
    what: "AAAA, none there",
    weight: 35,
    rcode: 0,
    answers: 0,
    question: (pick) => ({ name: hostOf(plain(pick)), type: "AAAA" }),
  },
  {
    what: "A, 10 endpoints",
    weight: 10,
    rcode: 0,
    answers: HEADLESS_ENDPOINTS,
    question: (pick) => ({ name: hostOf(many(pick)), type: "A" }),
  },
  {
    what: "SRV with address",
    weight: 10,
    rcode: 0,
    answers: 1,
    question: (pick) => ({ name: `_http._tcp.${hostOf(plain(pick))}`, type: "SRV" }),
  },
  {
    what: "no such name",
    weight: 10,
    rcode: 3,
    answers: 0,
    question: (pick) => ({ name: `x${hostOf(plain(pick))}`, type: "A" }),
  },
];

/** `count` queries of the mix, or of one kind alone, with EDNS as CoreDNS and stub resolvers send it. */
export function queries(count: number, random: () => number, only?: Kind): Buffer[] {
  const mix = kinds.flatMap((kind) => Array.from({ length: kind.weight }, () => kind));
  const choose = (): Kind => mix[Math.floor(random() * mix.length)] as Kind;
  return Array.from({ length: count }, () => {
    const question = (only ?? choose()).question(Math.floor(random() * SERVICES));
    return encode({
      type: "query",
      id: 0,
      flags: 0x0100,
      questions: [question],
      additionals: [
        {
          name: ".",
          type: "OPT",
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
  });
}
