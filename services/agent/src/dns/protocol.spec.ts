/** What a message may be and what comes back, whatever it asks for. */
import type { OptAnswer } from "dns-packet";
import { describe, expect, it } from "vitest";
import {
  ask,
  clusterSetIp,
  endpoint,
  fixedRandom,
  headless,
  lines,
  queryOf,
  responderOf,
  TestIndex,
  told,
} from "./dns.fixture.ts";

const PAY = "pay.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const index = new TestIndex(clusterSetIp());
const many = (count: number): TestIndex =>
  new TestIndex(
    headless({ eu: Array.from({ length: count }, (_, at) => endpoint(`10.1.${at >> 8}.${at & 255}`)) }),
  );
const respond = (message: Buffer) => responderOf(index).respond(message, "udp");
const rcodeOf = (message: Buffer): string => {
  const answer = respond(message);
  return answer === undefined ? "silence" : told(answer).rcode;
};
const changed = (change: (message: Buffer) => void, options = {}): Buffer => {
  const message = queryOf(PAY, "A", options);
  change(message);
  return message;
};

describe("the question", () => {
  it("is found in any case, and goes back in the asker's", () => {
    const mixed = "PaY.sHoP.SVC.clusterSET.Local";
    const { questions, answers } = ask(index, mixed, "A");
    expect(questions).toMatchObject([{ name: mixed }]);
    expect(lines(answers)).toEqual([`${mixed} A 10.42.0.7`]);
  });

  it("goes back byte for byte, and a dot within a label is no end of one", () => {
    const name = Buffer.from("\x08pay.shop\x03svc\x0aclusterset\x05local\0", "latin1");
    const other = Buffer.from("\x04p\xe4\0y\x04shop\x03svc\x0aclusterset\x05local\0", "latin1");
    for (const wire of [name, other]) {
      const query = Buffer.concat([
        queryOf(".", "A", { payloadBytes: 0 }).subarray(0, 12),
        wire,
        Buffer.from([0, 1, 0, 1]),
      ]);
      const answer = respond(query) as Buffer;
      expect(told(answer).rcode).toBe("NXDOMAIN");
      expect(answer.subarray(12, query.length)).toEqual(query.subarray(12));
    }
  });

  it.each([
    ["an unknown type", 65_280, "NOERROR"],
    ["a type without records", 15, "NOERROR"],
    ["a zone transfer", 252, "REFUSED"],
  ])("of %s (%i) is answered with %s", (_what, type, rcode) => {
    const query = changed((message) => message.writeUInt16BE(type, 12 + PAY.length + 2));
    const answer = told(respond(query) as Buffer);
    expect([answer.rcode, answer.answers]).toEqual([rcode, []]);
  });

  it("for everything gets one small record (RFC 8482), and none where there is none", () => {
    expect(ask(index, PAY, "ANY").answers).toMatchObject([
      { type: "HINFO", data: { cpu: "RFC8482", os: "" } },
    ]);
    expect(ask(index, "shop.svc.clusterset.local", "ANY").answers).toEqual([]);
    expect(ask(index, "x.shop.svc.clusterset.local", "ANY").rcode).toBe("NXDOMAIN");
  });

  it("of another class is refused", () => {
    expect(rcodeOf(changed((message) => message.writeUInt16BE(3, 12 + PAY.length + 4)))).toBe("REFUSED");
  });
});

describe("the header", () => {
  it("keeps id, RD and opcode; nothing says that this is a resolver", () => {
    const answer = ask(index, PAY, "A");
    expect(answer).toMatchObject({
      id: 4711,
      type: "response",
      flag_rd: true,
      flag_ra: false,
      flag_ad: false,
    });
  });

  it.each([
    ["an answer", "silence", changed((message) => message.writeUInt16BE(0x8100, 2))],
    ["eleven bytes", "silence", queryOf(PAY, "A").subarray(0, 11)],
    ["nothing", "silence", Buffer.alloc(0)],
    ["a status request", "NOTIMP", changed((message) => message.writeUInt16BE(0x1000, 2))],
    ["an update", "NOTIMP", changed((message) => message.writeUInt16BE(0x2800, 2))],
    ["no question", "FORMERR", changed((message) => message.writeUInt16BE(0, 4))],
    ["two questions", "FORMERR", changed((message) => message.writeUInt16BE(2, 4))],
    ["a cut name", "FORMERR", queryOf(PAY, "A").subarray(0, 20)],
    ["a cut type", "FORMERR", queryOf(PAY, "A", { payloadBytes: 0 }).subarray(0, -3)],
    ["a pointer for a name", "FORMERR", changed((message) => message.writeUInt16BE(0xc00c, 12))],
    ["a label of type 01", "FORMERR", changed((message) => message.writeUInt8(0x41, 12))],
    ["more records than there are", "FORMERR", changed((message) => message.writeUInt16BE(9, 10))],
    ["bytes left over", "FORMERR", Buffer.concat([queryOf(PAY, "A"), Buffer.from([0])])],
  ] as const)("of %s is answered with %s", (_what, expected, message) => {
    expect(rcodeOf(message)).toBe(expected);
  });

  it("a name of 255 bytes is read, one of 256 is malformed", () => {
    const name = (last: number) => [63, 63, 63, last].map((length) => "a".repeat(length)).join(".");
    expect(rcodeOf(queryOf(name(61), "A"))).toBe("REFUSED");
    expect(rcodeOf(queryOf(name(62), "A"))).toBe("FORMERR");
  });
});

describe("EDNS", () => {
  const opt = (more: Partial<OptAnswer> = {}): OptAnswer => ({
    name: ".",
    type: "OPT",
    udpPayloadSize: 4096,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
    ...more,
  });

  it("is answered where it was asked with, and not otherwise", () => {
    expect(ask(index, PAY, "A").additionals).toMatchObject([
      { type: "OPT", udpPayloadSize: 1232, ednsVersion: 0 },
    ]);
    expect(ask(index, PAY, "A", { payloadBytes: 0 }).additionals).toEqual([]);
  });

  it("of another version is BADVERS", () => {
    const { rcode, additionals, answers } = ask(index, PAY, "A", {
      more: { additionals: [opt({ ednsVersion: 1 })] },
    });
    expect([rcode, answers]).toEqual(["NOERROR", []]);
    expect(additionals).toMatchObject([{ extendedRcode: 1, ednsVersion: 0 }]);
  });

  it("keeps the DO bit", () => {
    const { additionals } = ask(index, PAY, "A", { more: { additionals: [opt({ flags: 0x8000 })] } });
    expect(additionals).toMatchObject([{ flag_do: true }]);
  });

  it("stands once, among the additional records", () => {
    expect(ask(index, PAY, "A", { more: { additionals: [opt(), opt()] } }).rcode).toBe("FORMERR");
    expect(ask(index, PAY, "A", { more: { additionals: [], authorities: [opt()] } }).rcode).toBe("FORMERR");
  });

  it("options that mean nothing here are passed over", () => {
    const options = [{ code: 10, type: "COOKIE", data: Buffer.alloc(8) }] as never;
    expect(ask(index, PAY, "A", { more: { additionals: [opt({ options })] } }).answers).toHaveLength(1);
  });
});

describe("size", () => {
  it.each([
    [0, 512],
    [100, 512],
    [800, 800],
    [4096, 1232],
  ])(
    "over UDP with a payload of %i stays within %i bytes, and says that more is to be had",
    (payloadBytes, bound) => {
      const { bytes, flag_tc, answers } = ask(many(200), DB, "A", { payloadBytes });
      expect(flag_tc).toBe(true);
      expect(bytes).toBeLessThanOrEqual(bound);
      // As many as fit: an asker without TCP goes on with these.
      expect(bytes).toBeGreaterThan(bound - 16);
      expect(answers?.length).toBeGreaterThan(25);
    },
  );

  it("28 addresses come in 512 bytes", () => {
    const { flag_tc, answers } = ask(many(28), DB, "A", { payloadBytes: 0 });
    expect([flag_tc, answers?.length]).toEqual([false, 28]);
  });

  it("over TCP all come", () => {
    const { flag_tc, answers } = ask(many(1000), DB, "A", { transport: "tcp" });
    expect([flag_tc, answers?.length]).toEqual([false, 1000]);
  });

  it("additional records are left out before answers are", () => {
    const { flag_tc, answers, extra } = ask(many(12), `_http._tcp.${DB}`, "SRV", { payloadBytes: 1000 });
    expect([flag_tc, answers?.length]).toEqual([false, 12]);
    expect(extra.length).toBeLessThan(12);
  });

  it("an answer that no message holds is cut over TCP too", () => {
    const { bytes, flag_tc } = ask(many(2000), `_http._tcp.${DB}`, "SRV", { transport: "tcp" });
    expect(flag_tc).toBe(true);
    expect(bytes).toBeLessThanOrEqual(65_535);
  });

  it("a negative answer to the longest name fits without EDNS", () => {
    const long = "a".repeat(63);
    const { bytes, flag_tc, authorities } = ask(
      index,
      `${long}.${long}.${long}.${"a".repeat(40)}.svc.clusterset.local`,
      "A",
      { payloadBytes: 0 },
    );
    expect([flag_tc, authorities?.length]).toEqual([false, 1]);
    expect(bytes).toBeLessThanOrEqual(512);
  });
});

describe("the order of addresses", () => {
  it("begins where the dice say, and loses none", () => {
    const firsts = [0, 0.25, 0.5, 0.75].map((float) => {
      const told = lines(ask(many(4), DB, "A", { random: fixedRandom(float) }).answers);
      expect(new Set(told).size).toBe(4);
      return told[0];
    });
    expect(firsts).toEqual([0, 1, 2, 3].map((last) => `${DB} A 10.1.0.${last}`));
  });

  it("gives those that do not fit their turn", () => {
    const seen = new Set<string>();
    for (let step = 0; step < 20; step += 1)
      for (const line of lines(
        ask(many(200), DB, "A", { payloadBytes: 0, random: fixedRandom(step / 20) }).answers,
      ))
        seen.add(line);
    expect(seen.size).toBe(200);
  });
});

describe("counts", () => {
  it("tell answers by code and way, and messages without answer", () => {
    const counted: unknown[] = [];
    const metrics = {
      count: (...call: unknown[]) => void counted.push(call),
      gauge: () => {},
      observe: () => {},
    };
    const responder = responderOf(index, { metrics });
    responder.respond(queryOf(PAY, "A"), "udp");
    responder.respond(queryOf(PAY, "AAAA"), "udp");
    responder.respond(queryOf(`x.${PAY}`, "A"), "tcp");
    responder.respond(Buffer.alloc(3), "udp");
    responder.flush();
    responder.flush();
    expect(counted).toEqual([
      ["hansa_dns_answers_total", { transport: "udp", rcode: "NOERROR" }, 2],
      ["hansa_dns_silent_total", { transport: "udp" }, 1],
      ["hansa_dns_answers_total", { transport: "tcp", rcode: "NXDOMAIN" }, 1],
    ]);
  });
});
