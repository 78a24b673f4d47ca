/** What a lab is made of and what a cluster's source says: own topologies, edits by hand, scaling, more and fewer clusters. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { envoyHosts } from "./support/envoy.ts";
import { startLab, TestLab } from "./support/lab.ts";

const PATIENT_MS = 60_000;
const TOPOLOGY = `
federation: rim.hansa
clusters:
  - { name: eu, region: eu-west-1, zones: [eu-west-1a, eu-west-1b] }
  - { name: us, region: us-east-1, network: atlantic }
  - { name: ca, region: ca-east-1, network: atlantic } # reached from us without a gateway
services:
  - { name: quote, namespace: shop, ports: [{ name: grpc, port: 9000, protocol: grpc }], exportedFrom: [us] }
  - { name: feed, namespace: shop, ports: [{ name: h2, port: 8443, protocol: http2 }], exportedFrom: [us] }
  - { name: notes, namespace: shop, ports: [{ name: http, port: 80, protocol: http }] }
  - { name: ledger, namespace: books, ports: [{ name: tcp, port: 7000, protocol: tcp }], exportedFrom: [ca] }
workloads:
  - { name: web, namespace: shop, replicas: { eu: 1, us: 1 } }
  - { name: quote, namespace: shop, services: [quote], version: v7, replicas: { us: 2 } }
  - { name: feed, namespace: shop, services: [feed], serviceAccount: feeder, replicas: { us: 1 } }
  - { name: notes, namespace: shop, services: [notes], replicas: { us: 1 } }
  - { name: ledger, namespace: books, services: [ledger], replicas: { ca: 1 } }
allows:
  - { from: { cluster: eu, namespace: shop, serviceAccount: web }, to: shop/quote }
  - { from: { cluster: eu, namespace: shop, serviceAccount: web }, to: shop/feed }
  - { from: { cluster: "*", namespace: shop, serviceAccount: web }, to: books/ledger }
`;

const folder = mkdtempSync(join(tmpdir(), "hansa-topology-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a topology that is wrong", () => {
  const lab = new TestLab(join(folder, "none"));
  it.each([
    [
      "a cluster that is not there",
      "exportedFrom: [ca]",
      "exportedFrom: [cb]",
      "services[3].exportedFrom[0]",
    ],
    [
      "an export of what does not run",
      "exportedFrom: [ca]",
      "exportedFrom: [eu]",
      "services[3].exportedFrom[0]",
    ],
    ["an unknown field", "version: v7", "versoin: v7", "workloads[1]"],
    ["a protocol nobody speaks", "protocol: http2", "protocol: smoke", "services[1].ports[0].protocol"],
    ["a name that no DNS takes", "{ name: eu, region", "{ name: EU_1, region", "clusters[0].name"],
    ["an allow of nothing", "to: shop/feed", "to: shop/food", "allows[1].to"],
  ])("00: %s is refused with HSA1002 and its place, and nothing starts", async (_what, good, bad, place) => {
    const path = file("wrong.yaml", TOPOLOGY.replace(good, bad));
    for (const args of [
      ["lab", "up", "--detach", "-f", path],
      ["lab", "topology", "-f", path],
    ]) {
      const answer = await lab.run(args);
      expect(answer.status, answer.stderr).toBe(65);
      expect(answer.stderr).toContain("error HSA1002");
      expect(answer.stderr).toMatch(/wrong\.yaml:\d+: /);
      expect(answer.stderr).toContain(`: ${place}: `);
      expect(answer.stdout).toBe("");
    }
    expect((await lab.run(["lab", "status"])).stderr).toContain("HSA6003");
  });

  it("01: text that is no YAML is refused with its line", async () => {
    const answer = await lab.run(["lab", "up", "--detach", "-f", file("torn.yaml", `${TOPOLOGY}\n  - [`)]);
    expect(answer.status).toBe(65);
    expect(answer.stderr).toMatch(/error HSA1002[\s\S]*torn\.yaml: .*line \d+/);
  });
});

describe("a topology of one's own", () => {
  const WEB = "eu/shop/web";
  let lab: TestLab;
  let source: string;
  beforeAll(async () => {
    lab = await startLab("-f", file("rim.yaml", TOPOLOGY));
    source = join(lab.state, "clusters", "us", "source.yaml");
    await lab.until(["lab", "call", WEB, "quote", "-n", "20"], ({ failed }) => failed === 0, PATIENT_MS);
  });
  afterAll(() => lab.down());

  /** As an editor does it: beside the file, then renamed over it. */
  const write = (text: string) => {
    writeFileSync(`${source}.mine`, text);
    renameSync(`${source}.mine`, source);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a document to be edited freely.
  const edit = (change: (document: any) => void) => {
    const document = parse(readFileSync(source, "utf8"));
    change(document);
    write(stringify(document));
  };
  const callNotes = (
    satisfied: (json: { statuses: Record<string, number>; served: object; failed: number }) => boolean,
  ) => lab.until(["lab", "call", WEB, "notes:80", "-n", "10"], satisfied, PATIENT_MS);
  const sourceCheck = () => lab.hansa("check", "--category", "log");

  it("02: HTTP/2 crosses as HTTP/2, gRPC as gRPC; the caller is known and the version shown", async () => {
    const feed = await lab.until(
      ["lab", "call", WEB, "feed:h2", "-n", "50"],
      ({ failed }) => failed === 0,
      PATIENT_MS,
    );
    expect(feed).toMatchObject({ protocol: "http2", served: { "us/feed": 50 } });
    expect(feed.callers).toEqual(["spiffe://eu.rim.hansa/ns/shop/sa/web"]);
    expect((await lab.ok("lab", "call", WEB, "quote", "-n", "50")).served).toEqual({ "us/quote": 50 });
    const { items } = await lab.ok("get", "services", "-n", "shop");
    const service = items.find((item: { service: string }) => item.service === "shop/feed");
    expect(service).toMatchObject({ cluster: "us", serviceAccounts: ["feeder"] });
  });

  it("03: on one network calls skip the gateway; from another they go through it", async () => {
    const ledger = ["lab", "call", "us/shop/web", "ledger.books", "-n", "20"];
    const answer = await lab.until(ledger, ({ failed }) => failed === 0, PATIENT_MS);
    expect(answer.served).toEqual({ "ca/ledger": 20 });
    const { items } = await lab.ok("lab", "status");
    const portsOf = (name: string) => items.find((item: { name: string }) => item.name === name).ports;
    const flat = await lab.ok("explain", "route", "us/shop/web", "ledger.books");
    expect(flat.localities).toMatchObject([{ cluster: "ca", via: "flat", sharePercent: 100 }]);
    const sni = "tcp.ledger.books.svc.rim.hansa";
    const pod = portsOf("ca/books/ledger/ledger-1/sidecar").inbound;
    expect(await envoyHosts(lab, "us/shop/web/web-1/sidecar", sni)).toEqual([
      { address: pod, health: "HEALTHY" },
    ]);

    await lab.until(
      ["lab", "call", WEB, "ledger.books", "-n", "20"],
      ({ failed }) => failed === 0,
      PATIENT_MS,
    );
    const far = await lab.ok("explain", "route", WEB, "ledger.books");
    expect(far.localities).toMatchObject([{ cluster: "ca", via: "gateway", sharePercent: 100 }]);
    const gateway = portsOf("ca/gateway").mtls;
    expect(await envoyHosts(lab, "eu/shop/web/web-1/sidecar", sni)).toEqual([
      { address: gateway, health: "HEALTHY" },
    ]);
  });

  it("04: pods that are added behind the gateway get their share of gRPC, and leave without a lost call", async () => {
    await lab.ok("lab", "scale", "us/shop/quote", "4");
    await lab.until(
      ["lab", "call", WEB, "quote", "-n", "400"],
      ({ replicas }) => Object.keys(replicas).length === 4,
      PATIENT_MS,
    );
    const answer = await lab.ok("lab", "call", WEB, "quote", "-n", "2000");
    expect(answer.failed).toBe(0);
    for (const [replica, calls] of Object.entries<number>(answer.replicas)) {
      expect(calls, replica).toBeGreaterThanOrEqual(300);
      expect(calls, replica).toBeLessThanOrEqual(700);
    }
    expect(Object.keys(answer.replicas)).toHaveLength(4);

    const load = lab.hansa("lab", "call", WEB, "quote", "--rate", "100", "--duration", "8");
    await lab.ok("lab", "scale", "us/shop/quote", "1");
    expect((await load).json).toMatchObject({ failed: 0 });
    const alone = await lab.ok("lab", "call", WEB, "quote", "-n", "100");
    expect(Object.values(alone.replicas)).toEqual([100]);
  });

  it("05: a source with an error changes nothing and is reported with HSA1003 and the place; mended it is taken", async () => {
    const good = readFileSync(source, "utf8");
    expect((await sourceCheck()).json.success).toBe(true);
    const load = lab.hansa("lab", "call", WEB, "quote", "--rate", "50", "--duration", "8");
    for (const [bad, place] of [
      [good.replace("protocol: http2", "protocol: smoke"), "services[1].ports[0].protocol"],
      [`${good}\nservices: [`, "not YAML"],
      [good.replace("name: feed", "name: quote"), "services[1]"],
    ] as const) {
      write(bad);
      const { json } = await until(sourceCheck, ({ stdout }) => stdout.includes(place));
      expect(json.success).toBe(false);
      expect(JSON.stringify(json)).toContain("HSA1003");
    }
    // A file that is gone withdraws nothing either.
    renameSync(source, `${source}.away`);
    await until(sourceCheck, ({ stdout }) => stdout.includes("ENOENT"));
    expect((await lab.ok("lab", "call", WEB, "feed", "-n", "20")).served).toEqual({ "us/feed": 20 });
    renameSync(`${source}.away`, source);

    write(good.replace("version: v7", "version: v8"));
    await until(sourceCheck, ({ json }) => json?.success === true);
    expect((await load).json).toMatchObject({ failed: 0 });
  });

  it("06: an export alone opens nothing, an allow lets its caller in; both can be taken back", async () => {
    await callNotes(({ served }) => Object.keys(served).length === 0);
    const notes = (document: { services: { name: string }[] }) =>
      document.services.find(({ name }) => name === "notes") as Record<string, unknown>;
    edit((document) => {
      notes(document).export = { since: "2026-01-01T00:00:00Z", to: "all" };
    });
    await lab.until(
      ["explain", "route", WEB, "notes"],
      ({ localities }) =>
        localities.some(({ sharePercent }: { sharePercent: number }) => sharePercent === 100),
      PATIENT_MS,
    );
    expect((await callNotes(({ failed }) => failed === 10)).served).toEqual({});
    const id = "spiffe://eu.rim.hansa/ns/shop/sa/web";
    const access = ["explain", "access", id, "notes.shop"];
    await lab.until(access, ({ verdict }) => verdict === "deny", PATIENT_MS);
    const from = [{ cluster: "eu", namespace: "shop", serviceAccount: "web" }];
    edit((document) => {
      document.allows.push({ name: "notes", namespace: "shop", service: "notes", from });
    });
    await callNotes(({ statuses }) => statuses["200"] === 10);
    const allowed = await lab.until(access, ({ verdict }) => verdict === "allow", PATIENT_MS);
    expect(JSON.stringify(allowed)).toContain("policy/allow/shop/notes");
    edit((document) => {
      document.allows.pop();
    });
    await callNotes(({ failed }) => failed === 10);
    edit((document) => {
      delete notes(document).export;
    });
    await lab.until(
      ["explain", "route", WEB, "notes"],
      ({ localities }) => localities.length === 0,
      PATIENT_MS,
    );
    expect((await callNotes(({ failed }) => failed === 10)).served).toEqual({});
  });

  it("07: a port without a name is p--<number> on the way and the service's number for callers", async () => {
    edit((document) => {
      const notes = document.services.find(({ name }: { name: string }) => name === "notes");
      notes.export = { since: "2026-01-01T00:00:00Z", to: ["eu"] };
      notes.ports = [{ port: 80, protocol: "http" }];
      const from = [{ cluster: "eu", namespace: "shop", serviceAccount: "*" }];
      document.allows.push({ name: "notes", namespace: "shop", service: "notes", from });
    });
    await callNotes(({ statuses }) => statuses["200"] === 10);
    const route = await lab.ok("explain", "route", WEB, "notes.shop");
    expect(route.sni).toBe("p--80.notes.shop.svc.rim.hansa");
    // Exported to eu, and to nobody else.
    const elsewhere = await lab.hansa("explain", "route", "ca/books/ledger", "notes.shop");
    expect(elsewhere.json?.localities ?? []).toEqual([]);
  });
});

/** As `TestLab.until`, for commands that fail meanwhile. */
async function until<Value>(ask: () => Promise<Value>, satisfied: (value: Value) => boolean): Promise<Value> {
  const deadline = performance.now() + PATIENT_MS;
  for (;;) {
    const value = await ask();
    if (satisfied(value)) return value;
    if (performance.now() > deadline) throw new Error(`not as expected: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe("the default topology in other sizes", () => {
  it("08: two clusters come up, linked, without what the third had", async () => {
    const lab = await startLab("--clusters", "2");
    try {
      const call = ["lab", "call", "eu/shop/web", "catalog", "-n", "20"];
      await lab.until(call, ({ failed }) => failed === 0, PATIENT_MS);
      const names = (await lab.ok("get", "clusters")).items.map(
        ({ cluster }: { cluster: string }) => cluster,
      );
      expect(names.sort()).toEqual(["eu", "us"]);
      const ledger = await lab.run(["lab", "call", "eu/shop/web", "ledger"]);
      expect(ledger.stderr).toMatch(/HSA4006/);
      await lab.until(["check"], ({ success }) => success === true, PATIENT_MS);
    } finally {
      await lab.down();
    }
  });

  it("09: four clusters come up, and calls cross to the one that was made up", async () => {
    const lab = await startLab("--clusters", "4");
    try {
      await lab.ok("lab", "kill", "ap/shop/ledger");
      const call = ["lab", "call", "eu/shop/web", "ledger", "-n", "20"];
      const answer = await lab.until(call, ({ served }) => served["c4/ledger"] === 20, PATIENT_MS);
      expect(answer.failed).toBe(0);
      const { items } = await lab.ok("get", "clusters");
      const c4 = items.find(({ cluster }: { cluster: string }) => cluster === "c4");
      expect(c4).toMatchObject({ region: "region-4", state: "active" });
      const links = await lab.until(["get", "links"], (json) => json.items.length === 12, PATIENT_MS);
      for (const { state } of links.items) expect(state).toBe("normal");
    } finally {
      await lab.down();
    }
  });
});
