/** Anybody on the network may send the DNS server bytes (T21): whatever they are, it answers within its bound or not at all. */
import { decode } from "dns-packet";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clusterSetIp,
  endpoint,
  headless,
  queryOf,
  responderOf,
  TestIndex,
} from "../../services/agent/src/dns/dns.fixture.ts";
import type { DnsImport } from "../../services/agent/src/dns/imports.ts";
import { FIRST_SEED, share, tell } from "../support/tier.ts";

const RUNS = share(200_000);
const check = { numRuns: RUNS, seed: FIRST_SEED };
const SUFFIX = ".svc.clusterset.local";
const index = new TestIndex(
  clusterSetIp(),
  headless({ eu: Array.from({ length: 60 }, (_, at) => endpoint(`10.1.0.${at}`, { hostname: `db-${at}` })) }),
);
const responder = responderOf(index);

/** Holds for every answer: it repeats the id, says that it is one, stays in its bound, and another reader can read it. */
function judged(message: Buffer, transport: "udp" | "tcp"): void {
  const answer = responder.respond(message, transport);
  if (answer === undefined) return;
  expect(answer.readUInt16BE(0)).toBe(message.readUInt16BE(0));
  expect(answer.readUInt16BE(2) & 0x8000).toBe(0x8000);
  expect(answer.length).toBeLessThanOrEqual(transport === "udp" ? 1232 : 65_535);
  if (answer.readUInt16BE(4) === 1) decode(answer);
  else expect(answer.readUInt16BE(6)).toBe(0);
}

const transport = fc.constantFrom("udp" as const, "tcp" as const);
const label = fc.oneof(
  fc.constantFrom("pay", "shop", "db", "db-1", "eu", "_http", "_tcp", "svc", "__proto__", "constructor"),
  fc.stringMatching(/^[a-z0-9_-]{1,63}$/),
);
const name = fc.array(label, { maxLength: 5 }).map((labels) => labels.join(".") + SUFFIX);
const type = fc.constantFrom("A", "AAAA", "SRV", "TXT", "ANY", "SOA", "OPT", "PTR");
const query = fc
  .tuple(name, type, fc.constantFrom(0, 1, 512, 900, 65_535))
  .map(([asked, kind, payloadBytes]) => queryOf(asked, kind, { payloadBytes }));

describe("bytes from anybody", () => {
  it("of every kind are answered within the bound, or not at all (T21)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), transport, (bytes, way) =>
        judged(Buffer.from(bytes), way),
      ),
      check,
    );
  });

  it("that nearly are a query, too (T21)", () => {
    const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 });
    const cut = fc.option(fc.nat(400));
    fc.assert(
      fc.property(query, changes, cut, transport, (message, edits, length, way) => {
        const bytes = Buffer.from(message);
        for (const [at, byte] of edits) if (at < bytes.length) bytes[at] = byte;
        judged(length === null ? bytes : bytes.subarray(0, length), way);
      }),
      check,
    );
    tell({
      promise: "DNS: malformed messages never stop the agent",
      seen: `${2 * RUNS} messages`,
      kept: true,
    });
  });
});

describe("what another cluster says of its endpoints", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 80 }),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("", "::", "fe80::1%x", "1.2.3", "db-0"),
  );
  const service: fc.Arbitrary<DnsImport> = fc
    .record({
      headless: fc.boolean(),
      ips: fc.array(text, { maxLength: 3 }),
      port: fc.record({
        name: fc.oneof(fc.constantFrom("", "http"), fc.stringMatching(/^[a-z-]{1,63}$/)),
        number: fc.nat(65_535),
      }),
      endpoints: fc.array(
        fc.record({ address: text, hostname: text, ready: fc.boolean(), port: fc.option(fc.nat(65_535)) }),
        { maxLength: 12 },
      ),
    })
    .map(({ headless, ips, port, endpoints }) =>
      clusterSetIp({
        type: headless ? "Headless" : "ClusterSetIP",
        ips,
        ports: [{ name: port.name, portKey: "http", port: port.number, transport: "TCP" }],
        clusters: [
          {
            cluster: "us",
            endpoints: endpoints.map(({ address, hostname, ready, port }) =>
              endpoint(address, { hostname, ready, ports: port === null ? {} : { http: port } }),
            ),
          },
        ],
      }),
    );
  const asked = fc.tuple(fc.constantFrom("", "_http._tcp.", "_tcp.", "us.", "db-0.us.", "1-2-3-4.us."), type);

  it("makes no answer that cannot be read, and none that fails (T8)", () => {
    fc.assert(
      fc.property(service, asked, transport, (imported, [prefix, kind], way) => {
        const hostile = responderOf(new TestIndex(imported));
        const answer = hostile.respond(queryOf(`${prefix}pay.shop${SUFFIX}`, kind), way);
        const { rcode } = decode(answer as Buffer) as { rcode?: string };
        expect(rcode).not.toBe("SERVFAIL");
      }),
      { ...check, numRuns: Math.ceil(RUNS / 4) },
    );
  });
});
