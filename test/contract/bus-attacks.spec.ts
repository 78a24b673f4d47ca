/**
 * The attacks of design §3 "Bus" on a real nats-server. The attacker is a member with everything a member can have: the
 * seed of its account, hence users of its own making, and a raw NATS client. Where an attack needs a set-up without the
 * defence to show that it is one, a stream beside FED plays that set-up.
 */
import { HansaError, utf8 } from "@hansa/core";
import type { BusRecord } from "@hansa/events";
import { encodeAccount, encodeUser } from "@nats-io/jwt";
import { createUser, fromSeed } from "@nats-io/nkeys";
import { headers } from "nats";
import { afterAll, describe, expect, it } from "vitest";
import {
  ask,
  attacker,
  close,
  connectRaw,
  connectWith,
  hubRaw,
  logOf,
  NO_RESPONDERS,
  raw,
  store,
  TIMEOUT_MS,
  victim,
  world,
} from "./bus-attacker.ts";
import { RECORDS_PER_LOG_MAX, someRecord } from "./log-bus.contract.ts";
import { retry } from "./log-bus.world.ts";

afterAll(close);

describe("writing as another", () => {
  it("reaches nothing by publishing to a victim's subjects directly", async () => {
    await store(victim);
    const before = await logOf(victim);
    for (const subject of [
      `fed.${victim.account}.sum`,
      `beat.${victim.account}`,
      `tail.${victim.account}.sum`,
    ])
      expect(await ask(raw, subject, "forged"), subject).toBe(NO_RESPONDERS);
    expect(await ask(raw, `fed.${attacker.account}.sum`, "around the import")).toBe(NO_RESPONDERS);
    expect(await logOf(victim)).toEqual(before);
  });

  it("is refused by the server even where an account was issued with a victim's subject", async () => {
    const operator = fromSeed(utf8(world.keys.operatorSeed));
    const imports = [`fed.${victim.account}.sum`, "fed.-.incarnation", `beat.${victim.account}`];
    const rogue = await world.admit();
    const jwt = await encodeAccount(
      "rogue",
      rogue.account,
      {
        limits: { imports: -1, conn: -1, subs: -1, data: -1, payload: -1 },
        imports: imports.map((subject, index) => ({
          name: `theft-${index}`,
          subject,
          local_subject: `theft.${index}`,
          account: world.issuer.hubAccount,
          type: "service" as const,
        })),
      },
      { signer: operator },
    );
    await world.hub.pushAccount(jwt);
    const client = await connectRaw(rogue);
    const before = await logOf(victim);
    const incarnation = await victim.incarnation();
    for (const index of imports.keys())
      expect(await ask(client, `theft.${index}`, "forged")).toBe(NO_RESPONDERS);
    expect(await logOf(victim)).toEqual(before);
    expect(await victim.incarnation()).toBe(incarnation);
  });

  it("hears nothing but the tail and its own account", async () => {
    const heard: string[] = [];
    const all = raw.subscribe(">", { callback: (_error, message) => heard.push(message.subject) });
    await raw.flush();
    await store(victim);
    await victim.lastOwn("sum");
    await world.until("the tail is heard", () => heard.length > 0);
    expect(heard.every((subject) => subject.startsWith("tail.") || subject.startsWith("_INBOX."))).toBe(true);
    all.unsubscribe();
  });

  it("cannot touch accounts: the system's subjects do not exist for members", async () => {
    for (const subject of ["$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.DELETE", "$SYS.REQ.CLAIMS.LIST"])
      expect(await ask(raw, subject, world.jwts.get(attacker.account) ?? ""), subject).toBe(NO_RESPONDERS);
  });
});

describe("reply-subject injection", () => {
  it("works in one shared account: the server's acknowledgement lands in the victim's subject", async () => {
    const jsm = await hubRaw.jetstreamManager();
    await jsm.streams.add({ name: "SHARED", subjects: ["shared.*"] });
    hubRaw.publish("shared.attacker", "mine", { reply: "shared.victim" });
    const injected = await retry(() => jsm.streams.getMessage("SHARED", { last_by_subj: "shared.victim" }));
    expect(injected.string()).toContain('"stream":"SHARED"');
    await jsm.streams.delete("SHARED");
  });

  it("does not leave the attacker's own account here", async () => {
    const before = await logOf(victim);
    const replies = [`fed.${victim.account}.sum`, `tail.${victim.account}.sum`, "log.ep"];
    for (const reply of replies) {
      raw.publish("log.sum", "mine", { reply });
      raw.publish("get.fed", JSON.stringify({ last_by_subj: `fed.${victim.account}.sum` }), { reply });
    }
    await raw.flush();
    await store(victim);
    await raw.flush();
    expect(await logOf({ account: attacker.account }, "ep")).toEqual([]);
    expect((await logOf(victim)).slice(0, before.length)).toEqual(before);
    expect(await logOf(victim)).toHaveLength(before.length + 1);
  });
});

describe("Nats-Msg-Id poisoning", () => {
  const withId = (id: string) => {
    const result = headers();
    result.set("Nats-Msg-Id", id);
    return result;
  };

  it("works on whoever sets the header: acknowledged as duplicate, and lost", async () => {
    const careless = await connectRaw(await world.admit());
    await raw.request("log.sum", "poison", { headers: withId("victim/1/42"), timeout: TIMEOUT_MS });
    const ack = await careless.request("log.sum", "lost", {
      headers: withId("victim/1/42"),
      timeout: TIMEOUT_MS,
    });
    expect(ack.json()).toMatchObject({ duplicate: true });
  });

  it("has nothing to poison here: a record carries no id", async () => {
    const seq = await store(victim);
    const jsm = await hubRaw.jetstreamManager();
    const stored = await jsm.streams.getMessage("FED", { seq });
    expect([...stored.header.keys()].filter((name) => name.startsWith("Nats-"))).toEqual([
      "Nats-Expected-Last-Subject-Sequence",
    ]);
    for (const id of ["", `${victim.account}/1/1`, "Hansa"])
      await raw.request("log.sum", "poison", { headers: withId(id), timeout: TIMEOUT_MS });
    const last = await store(victim);
    expect((await victim.lastOwn("sum"))?.streamSeq).toBe(last);
  });
});

describe("forged server headers", () => {
  const forged = () => {
    const result = headers(204, "EOB");
    result.set("Nats-Subject", `fed.${victim.account}.sum`);
    result.set("Nats-Sequence", "1");
    result.set("Nats-Num-Pending", "0");
    result.set("Nats-Last-Sequence", "7");
    return result;
  };

  it("can be stored, and come before the server's own", async () => {
    await raw.request("log.sum", "forged", { headers: forged(), timeout: TIMEOUT_MS });
    const api = `{"last_by_subj":"fed.${attacker.account}.sum"}`;
    const answer = await raw.request("get.fed", api, { timeout: TIMEOUT_MS });
    expect(answer.headers?.get("Nats-Subject")).toBe(`fed.${victim.account}.sum`);
    expect(answer.headers?.values("Nats-Subject").at(-1)).toBe(`fed.${attacker.account}.sum`);
  });

  it("neither speak for a victim nor end anyone's reading or tail", async () => {
    const seen: BusRecord[] = [];
    const unsubscribe = await victim.tail((record) => seen.push(record));
    const ack = await raw.request("log.sum", "forged", { headers: forged(), timeout: TIMEOUT_MS });
    const forgedSeq = ack.json<{ seq: number }>().seq;
    const after = await store(victim);
    const read = await victim.read(null, forgedSeq, 10);
    expect(read.map(({ account, streamSeq }) => [account, streamSeq])).toEqual([
      [attacker.account, forgedSeq],
      [victim.account, after],
    ]);
    await world.until("the tail has caught up", () => seen.length >= 2);
    expect(seen.map(({ streamSeq }) => streamSeq)).toEqual([forgedSeq, after]);
    expect(seen[0]).toMatchObject({ account: attacker.account, record: { header: { epoch: 0, seq: 0 } } });
    unsubscribe();
  });

  it("do not stop the hub's projector", async () => {
    const ack = await raw.request("log.sum", "forged", { headers: forged(), timeout: TIMEOUT_MS });
    const after = await store(victim);
    const fed: number[] = [];
    const feed = world.hub.consume({
      start: () => Promise.resolve(ack.json<{ seq: number }>().seq),
      handle: (batch) => {
        fed.push(...batch.map(({ streamSeq }) => streamSeq));
        return Promise.resolve();
      },
    });
    await world.until("both are fed", () => fed.length >= 2);
    expect(fed).toEqual([after - 1, after]);
    await feed.stop();
  });
});

describe("erasing", () => {
  const removals: readonly (readonly [string, string])[] = [
    ["$JS.API.STREAM.PURGE.FED", "{}"],
    ["$JS.API.STREAM.MSG.DELETE.FED", '{"seq":1}'],
    ["$JS.API.STREAM.DELETE.FED", ""],
    ["$JS.API.STREAM.UPDATE.FED", "{}"],
    ["$JS.API.CONSUMER.DELETE.FED.hub-projector", ""],
    ["$JS.API.INFO", ""],
  ];

  it("does not exist for members", async () => {
    for (const [subject, body] of removals) {
      const answer = await ask(raw, subject, body);
      expect(answer === NO_RESPONDERS || answer.includes("10039"), `${subject}: ${answer}`).toBe(true);
    }
    expect((await logOf(victim)).length).toBeGreaterThan(0);
  });

  it("is refused to the hub too: neither purge nor delete", async () => {
    const before = await logOf(victim);
    const jsm = await hubRaw.jetstreamManager();
    await expect(jsm.streams.purge("FED")).rejects.toThrow(/purge/);
    await expect(jsm.streams.deleteMessage("FED", before[0]!.streamSeq)).rejects.toThrow(/delete/);
    expect(await logOf(victim)).toEqual(before);
  });

  it("is refused by way of a rollup", async () => {
    const before = await logOf(victim);
    for (const scope of ["sub", "all"]) {
      const rollup = headers();
      rollup.set("Nats-Rollup", scope);
      const ack = await raw.request("log.sum", "rollup", { headers: rollup, timeout: TIMEOUT_MS });
      expect(ack.json()).toMatchObject({ error: { description: expect.stringContaining("rollup") } });
    }
    expect(await logOf(victim)).toEqual(before);
  });
});

describe("a second writer", () => {
  it("is refused by the fence once the first has written", async () => {
    const zombie = await world.rival(victim);
    const last = await store(victim);
    const next = someRecord(victim);
    expect((await victim.publish(next, last)).kind).toBe("stored");
    expect(await zombie.publish(someRecord(zombie), last)).toEqual({ kind: "refused" });
    expect((await victim.lastOwn("sum"))?.record.header.seq).toBe(next.header.seq);
  });
});

describe("flooding", () => {
  const size = 200 * 1024;

  it("evicts neighbours where one byte limit is shared", async () => {
    const jsm = await hubRaw.jetstreamManager();
    await jsm.streams.add({ name: "SHARED", subjects: ["shared.*"], max_bytes: 8 * size });
    await hubRaw.request("shared.victim", "mine", { timeout: TIMEOUT_MS });
    for (let n = 0; n < 10; n += 1)
      await hubRaw.request("shared.attacker", new Uint8Array(size), { timeout: TIMEOUT_MS });
    await expect(jsm.streams.getMessage("SHARED", { last_by_subj: "shared.victim" })).rejects.toThrow(
      /no message/,
    );
    await jsm.streams.delete("SHARED");
  });

  it("pushes out only the flooder's own records here", async () => {
    const before = await logOf(victim);
    for (let n = 0; n < 4 * RECORDS_PER_LOG_MAX; n += 1) {
      const lane = n % 2 === 0 ? "log.sum" : "log.ep";
      await raw.request(lane, new Uint8Array(size), { timeout: TIMEOUT_MS });
    }
    expect(await logOf(victim)).toEqual(before);
    expect(await logOf({ account: attacker.account })).toHaveLength(RECORDS_PER_LOG_MAX);
  });

  it("ends when the account is suspended, and not for ever", async () => {
    const flooder = await world.admit();
    const bus = await world.connectAs(flooder);
    const expected = await store(bus);
    const states: boolean[] = [];
    bus.connection((up) => states.push(up));
    const suspended = { accountKey: flooder.account, name: "flooder", suspended: true };
    await world.hub.pushAccount(await world.issuer.issueAccount(suspended));
    await world.until("it is cut off", () => states.includes(false));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await bus.publish(someRecord(bus), expected)).kind).toBe("unknown");
    await world.hub.pushAccount(await world.issuer.issueAccount({ ...suspended, suspended: false }));
    await world.until("it is back", () => states.at(-1) === true);
    await retry(() => store(bus));
  });

  it("cannot send more at once than the stream takes", async () => {
    const answer = await ask(raw, "log.sum", new Uint8Array(258 * 1024));
    expect(answer).toContain("10054");
  });
});

describe("stolen agent credentials", () => {
  it("give the imports and the tail, and no other subject", async () => {
    const client = await connectWith(attacker.creds.jwt, attacker.creds.seed);
    const problems: string[] = [];
    client.subscribe("anything.>", { callback: (error) => void problems.push(error?.message ?? "") });
    await client.flush().catch(() => {});
    await world.until("it is refused", () => problems.length > 0);
    expect(problems[0]).toContain("Permissions Violation");
    expect(await ask(client, "log.sum", "mine")).toContain("FED");
  });

  it("are worthless without the account: a user signed by another account is refused", async () => {
    const user = createUser();
    const foreign = await world.admit();
    const jwt = await encodeUser("forged", user.getPublicKey(), fromSeed(utf8(foreign.accountSeed)));
    const [head = "", body = "", signature = ""] = jwt.split(".");
    const claims = Buffer.from(body, "base64url").toString().replaceAll(foreign.account, attacker.account);
    const forged = `${head}.${Buffer.from(claims).toString("base64url")}.${signature}`;
    await expect(connectWith(forged, new TextDecoder().decode(user.getSeed()))).rejects.toThrow(
      /Authorization/,
    );
  });

  it("an account that no operator signed is refused", async () => {
    const own = fromSeed(utf8(attacker.accountSeed));
    const jwt = await encodeAccount("self-signed", attacker.account, {}, { signer: own });
    await expect(world.hub.pushAccount(jwt)).rejects.toBeInstanceOf(HansaError);
  });
});
