/** KEP-1645, DNS schema 1.0.0, by section. */
import { describe, expect, it } from "vitest";
import { ask, clusterSetIp, endpoint, headless, lines, TestIndex } from "./dns.fixture.ts";

const PAY = "pay.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const answers = (index: TestIndex, name: string, type: string): string[] =>
  lines(ask(index, name, type).answers).sort();
const code = (index: TestIndex, name: string, type = "A"): string => {
  const { rcode, answers, authorities, flag_aa } = ask(index, name, type);
  if (answers?.length !== 0) return "answered";
  return `${rcode}${flag_aa ? " aa" : ""} ${lines(authorities).join()}`;
};
const SOA = "clusterset.local SOA ns.dns.clusterset.local";
const NODATA = `NOERROR aa ${SOA}`;
const NXDOMAIN = `NXDOMAIN aa ${SOA}`;

describe("2.2 the schema's version", () => {
  it("is 1.0.0 and may be remembered for eight hours", () => {
    const { answers, flag_aa, flag_ra } = ask(new TestIndex(), "dns-version.clusterset.local", "TXT");
    expect(lines(answers)).toEqual(["dns-version.clusterset.local TXT 1.0.0"]);
    expect(answers?.[0]).toMatchObject({ ttl: 28_800 });
    expect([flag_aa, flag_ra]).toEqual([true, false]);
  });
});

describe("2.3 a service with a cluster-set address", () => {
  const index = new TestIndex(clusterSetIp());

  it("has the address of each family", () => {
    expect(answers(index, PAY, "A")).toEqual([`${PAY} A 10.42.0.7`]);
    expect(answers(index, PAY, "AAAA")).toEqual([`${PAY} AAAA fd42::7`]);
    expect(ask(index, PAY, "A").answers?.[0]).toMatchObject({ ttl: 5 });
  });

  it("has no other family's", () => {
    const four = new TestIndex(clusterSetIp({ ips: ["10.42.0.7"] }));
    expect(code(four, PAY, "AAAA")).toBe(NODATA);
  });

  it("exists without an address where none was allocated", () => {
    const none = new TestIndex(clusterSetIp({ ips: [] }));
    expect(code(none, PAY, "A")).toBe(NODATA);
    expect(answers(none, `_http._tcp.${PAY}`, "SRV")).toEqual([`_http._tcp.${PAY} SRV 80 ${PAY}`]);
  });

  it("has SRV for each named port, with the addresses, and none for a port without name", () => {
    const http = ask(index, `_http._tcp.${PAY}`, "SRV");
    expect(lines(http.answers)).toEqual([`_http._tcp.${PAY} SRV 80 ${PAY}`]);
    expect(lines(http.extra)).toEqual([`${PAY} A 10.42.0.7`, `${PAY} AAAA fd42::7`]);
    expect(answers(index, `_dns._udp.${PAY}`, "SRV")).toEqual([`_dns._udp.${PAY} SRV 53 ${PAY}`]);
    expect(code(index, `_http._udp.${PAY}`, "SRV")).toBe(NXDOMAIN);
    expect(code(index, `_p--9090._tcp.${PAY}`, "SRV")).toBe(NXDOMAIN);
  });

  it("has SRV of all its ports at its own name, one for each number", () => {
    const all = ask(index, PAY, "SRV");
    expect(lines(all.answers).sort()).toEqual(
      [`${PAY} SRV 53 ${PAY}`, `${PAY} SRV 80 ${PAY}`, `${PAY} SRV 9090 ${PAY}`].sort(),
    );
    expect(lines(all.extra)).toEqual([`${PAY} A 10.42.0.7`, `${PAY} AAAA fd42::7`]);
  });

  it("has no name of one cluster", () => expect(code(index, `eu.${PAY}`)).toBe(NXDOMAIN));
});

describe("2.4 a headless service", () => {
  const index = new TestIndex(
    headless({
      eu: [
        endpoint("10.1.0.1", { hostname: "db-0" }),
        endpoint("10.1.0.2", { hostname: "db-1", ready: false }),
        endpoint("fd01::1", { hostname: "db-0" }),
      ],
      us: [endpoint("10.2.0.1", { hostname: "db-0", ports: { http: 9090 } }), endpoint("10.2.0.9")],
    }),
  );

  it("has the addresses of the ready endpoints of all clusters", () => {
    expect(answers(index, DB, "A")).toEqual([`${DB} A 10.1.0.1`, `${DB} A 10.2.0.1`, `${DB} A 10.2.0.9`]);
    expect(answers(index, DB, "AAAA")).toEqual([`${DB} AAAA fd01::1`]);
  });

  it("names each by host and cluster, and by its address where it has no host name", () => {
    expect(answers(index, `db-0.eu.${DB}`, "A")).toEqual([`db-0.eu.${DB} A 10.1.0.1`]);
    expect(answers(index, `db-0.eu.${DB}`, "AAAA")).toEqual([`db-0.eu.${DB} AAAA fd01::1`]);
    expect(answers(index, `db-0.us.${DB}`, "A")).toEqual([`db-0.us.${DB} A 10.2.0.1`]);
    expect(answers(index, `10-2-0-9.us.${DB}`, "A")).toEqual([`10-2-0-9.us.${DB} A 10.2.0.9`]);
    expect(code(index, `db-1.eu.${DB}`)).toBe(NXDOMAIN);
    expect(code(index, `db-0.ap.${DB}`)).toBe(NXDOMAIN);
  });

  it("has SRV for each ready endpoint and named port that it serves", () => {
    const { answers, extra } = ask(index, `_http._tcp.${DB}`, "SRV");
    expect(lines(answers).sort()).toEqual([
      `_http._tcp.${DB} SRV 8080 10-2-0-9.us.${DB}`,
      `_http._tcp.${DB} SRV 8080 db-0.eu.${DB}`,
      `_http._tcp.${DB} SRV 9090 db-0.us.${DB}`,
    ]);
    expect(lines(extra).sort()).toEqual([
      `10-2-0-9.us.${DB} A 10.2.0.9`,
      `db-0.eu.${DB} A 10.1.0.1`,
      `db-0.eu.${DB} AAAA fd01::1`,
      `db-0.us.${DB} A 10.2.0.1`,
    ]);
    expect(code(index, `_dns._udp.${DB}`, "SRV")).toBe(NXDOMAIN);
  });

  it("has SRV of every host and port at its own name", () => {
    const { answers, extra } = ask(index, DB, "SRV");
    expect(lines(answers).sort()).toEqual([
      `${DB} SRV 8080 10-2-0-9.us.${DB}`,
      `${DB} SRV 8080 db-0.eu.${DB}`,
      `${DB} SRV 9090 db-0.us.${DB}`,
    ]);
    expect(extra).toHaveLength(4);
  });

  it("has no address by its cluster alone", () => {
    for (const type of ["A", "AAAA", "SRV"]) expect(code(index, `eu.${DB}`, type)).toBe(NODATA);
  });

  it("is gone with its last ready endpoint, with all its names", () => {
    const none = new TestIndex(headless({ eu: [endpoint("10.1.0.1", { hostname: "db-0", ready: false })] }));
    for (const name of [DB, `db-0.eu.${DB}`, `eu.${DB}`, `_http._tcp.${DB}`])
      expect(code(none, name), name).toBe(NXDOMAIN);
  });

  it("is not stopped by what another cluster calls a host, an address or a port", () => {
    const odd = new TestIndex(
      headless(
        {
          eu: [
            endpoint("10.1.0.1", { hostname: "Db_0" }),
            endpoint("10.1.0.2", { hostname: "DB-2" }),
            endpoint("not.an.address"),
            endpoint("fe80::1%eth0"),
            endpoint("10.1.0.3", { hostname: "x".repeat(64) }),
          ],
        },
        { ports: [{ name: "p".repeat(63), portKey: "http", port: 1, transport: "TCP" }] },
      ),
    );
    expect(answers(odd, DB, "A")).toHaveLength(3);
    expect(code(odd, DB, "AAAA")).toBe(NODATA);
    expect(answers(odd, `10-1-0-1.eu.${DB}`, "A")).toHaveLength(1);
    expect(answers(odd, `db-2.eu.${DB}`, "A")).toHaveLength(1);
    expect(code(odd, `_tcp.${DB}`)).toBe(NXDOMAIN);
  });

  it("leaves out what has no name of 255 bytes", () => {
    const long = (letter: string) => letter.repeat(63);
    const service = headless(
      { [long("c")]: [endpoint("10.1.0.1", { hostname: long("h") }), endpoint("10.1.0.2")] },
      { namespace: long("n"), name: long("s") },
    );
    const index = new TestIndex(service);
    const name = `${long("s")}.${long("n")}.svc.clusterset.local`;
    expect(answers(index, name, "A")).toEqual([`${name} A 10.1.0.2`]);
  });
});

describe("names between", () => {
  const index = new TestIndex(clusterSetIp());

  it.each([
    "svc.clusterset.local",
    "shop.svc.clusterset.local",
    `_tcp.${PAY}`,
    "clusterset.local",
    "dns.clusterset.local",
  ])("%s exists and has no address", (name) => expect(code(index, name)).toBe(NODATA));

  it.each([
    "x.clusterset.local",
    "bank.svc.clusterset.local",
    "pay.bank.svc.clusterset.local",
    "web.shop.svc.clusterset.local",
    `x.y.z.${PAY}`,
    "pay.shop.pod.clusterset.local",
    "eu.pay.shop.svc.clusterset.local",
  ])("%s does not exist", (name) => expect(code(index, name)).toBe(NXDOMAIN));

  it("follow the view: what it has no longer is gone, what is new is there", () => {
    const moving = new TestIndex(clusterSetIp());
    expect(answers(moving, PAY, "A")).toEqual([`${PAY} A 10.42.0.7`]);
    moving.set(clusterSetIp({ ips: ["10.42.0.8"] }));
    expect(answers(moving, PAY, "A")).toEqual([`${PAY} A 10.42.0.8`]);
    moving.remove(clusterSetIp());
    expect(code(moving, PAY)).toBe(NXDOMAIN);
  });
});

describe("the zone itself", () => {
  const index = new TestIndex(clusterSetIp());

  it("has SOA and name server, with the address where the server listens", () => {
    const soa = ask(index, "clusterset.local", "SOA");
    expect(soa.answers?.[0]).toMatchObject({
      data: { rname: "hostmaster.clusterset.local", serial: 1_700_000_000, minimum: 5 },
    });
    expect(answers(index, "clusterset.local", "NS")).toEqual(["clusterset.local NS ns.dns.clusterset.local"]);
    expect(answers(index, "ns.dns.clusterset.local", "A")).toEqual(["ns.dns.clusterset.local A 10.9.8.7"]);
    expect(code(index, "ns.dns.clusterset.local", "AAAA")).toBe(NODATA);
  });

  it.each([
    "example.com",
    "cluster.local",
    "pay.shop.svc.cluster.local",
    ".",
    "7.0.42.10.in-addr.arpa",
    "notclusterset.local",
  ])("is not asked for %s: REFUSED", (name) => expect(code(index, name)).toBe("REFUSED "));

  it("says nothing of what is missing before the view is whole, and answers what it knows", () => {
    const early = new TestIndex(clusterSetIp());
    early.synced = false;
    expect(answers(early, PAY, "A")).toEqual(answers(new TestIndex(clusterSetIp()), PAY, "A"));
    expect(code(early, PAY, "MX")).toBe(NODATA);
    for (const name of [`x.${PAY}`, "web.shop.svc.clusterset.local", "late.svc.clusterset.local"]) {
      const { rcode, additionals } = ask(early, name, "A");
      expect(rcode).toBe("SERVFAIL");
      expect(additionals).toMatchObject([
        { type: "OPT", options: [{ code: 15, data: Buffer.from([0, 14]) }] },
      ]);
    }
    expect(code(early, "example.com")).toBe("REFUSED ");
  });
});
