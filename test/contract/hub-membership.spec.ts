/** Who gets in, with what, and how they get out: join, rejoin, pins, leave, evict, admit, re-key, on a real bus. */
import { base64, isHansaError } from "@hansa/core";
import { newSigningKey } from "@hansa/identity";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  grantOf,
  type HubMember,
  HubRig,
  type JoinAnswer,
  newMemberKeys,
  quotas,
  service,
  until,
} from "./hub-rig.ts";

let rig: HubRig;
const members: HubMember[] = [];
beforeAll(async () => {
  rig = await HubRig.start({ config: { api: { strangersPerSecondMax: 1000 }, suspendMs: 6000 } });
});
afterEach(async () => {
  for (const member of members.splice(0)) await member.close();
});
afterAll(() => rig?.stop());

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isHansaError(error) ? error.code : String(error)),
  );

const join = async (...given: Parameters<HubRig["join"]>): Promise<HubMember> => {
  const member = await rig.join(...given);
  members.push(member);
  return member;
};

interface Cluster {
  readonly name: string;
  readonly state: string;
  readonly incarnation: number;
}

const cluster = async (name: string): Promise<Cluster | undefined> =>
  (await rig.get<{ items: Cluster[] }>(`/v1/clusters?name=${name}`)).data.items[0];

const isState = (name: string, state: string) =>
  until(`${name} is ${state}`, async () => (await cluster(name))?.state === state);

let probes = 0;
/** Whether the bus lets this member write. */
const canWrite = async (member: HubMember): Promise<boolean> => {
  const attempt = member.write(service("probe", 1, ++probes % 2 === 0)).then(
    () => true,
    () => false,
  );
  return Promise.race([attempt, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 2500))]);
};

describe("a join is refused", () => {
  test("with an unknown, expired, revoked or used token, or one for another cluster", async () => {
    const keys = newMemberKeys();
    const post = (secret: string, name = "aa") =>
      codeOf(rig.post("/v1/join", rig.joinBody(name, keys, secret), ""));
    expect(await post("nonsense")).toBe("HSA3003");
    expect(await post(await rig.joinSecret("bb"))).toBe("HSA3003");
    const short = await rig.joinSecret("aa", grantOf(), 1);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await post(short)).toBe("HSA3003");
    const used = await rig.joinSecret("aa");
    expect(await post(used)).toBe("no error");
    expect(await post(used)).toBe("HSA3003");
  });

  test("with a token whose use is raced: it admits once", async () => {
    const secret = await rig.joinSecret("race");
    const attempts = await Promise.all(
      Array.from({ length: 5 }, () =>
        codeOf(rig.post("/v1/join", rig.joinBody("race", newMemberKeys(), secret), "")),
      ),
    );
    expect(attempts.filter((code) => code === "no error")).toHaveLength(1);
    expect(new Set(attempts)).toEqual(new Set(["no error", "HSA3004"]));
  });

  test("without possession of each key, or for another federation", async () => {
    const keys = newMemberKeys();
    const body = rig.joinBody("cc", keys, await rig.joinSecret("cc"));
    const other = rig.joinBody("cc", newMemberKeys(), "");
    const post = (change: object) => codeOf(rig.post("/v1/join", { ...body, ...change }, ""));
    expect(await post({ signature: other.signature })).toBe("HSA3001");
    expect(await post({ accountProof: other.accountProof })).toBe("HSA3001");
    expect(await post({ userProof: body.accountProof })).toBe("HSA3001");
    expect(await post({ request: body.request.replace("shop", "bank") })).toBe("HSA3001");
    const stranger = rig.joinBody("cc", keys, body.secret, { fingerprint: "0".repeat(64) });
    expect(await codeOf(rig.post("/v1/join", stranger, ""))).toBe("HSA3005");
    expect(await codeOf(rig.post("/v1/join", body, ""))).toBe("no error");
  });

  test("with another member's account, or the hub's", async () => {
    const taken = newMemberKeys();
    await join("dd", taken);
    const thief = { ...newMemberKeys(), account: taken.account };
    expect(await codeOf(rig.join("ee", thief))).toBe("HSA3004");
    expect(await cluster("ee")).toBeUndefined();
  });

  test("for a reserved name", async () => {
    expect(await codeOf(rig.joinSecret("hub"))).toBe("HSA1004");
  });
});

describe("a name", () => {
  test("is pinned to its signing key; the same key comes back with the next incarnation", async () => {
    const first = await join("pinned");
    expect(await codeOf(rig.join("pinned"))).toBe("HSA3004");
    const again = await join("pinned", first.keys);
    expect(again.answer.membership.incarnation).toBe(2);
    await until("incarnation 2", async () => (await cluster("pinned"))?.incarnation === 2);
    expect(await canWrite(again)).toBe(true);
  });

  test("may come back with another account: the old one is off the bus and its facts are gone", async () => {
    const first = await join("moves");
    await first.write(service("old"));
    const listed = async () =>
      (await rig.get<{ items: { name: string }[] }>("/v1/services?cluster=moves")).data.items.map(
        ({ name }) => name,
      );
    await until("old facts", async () => (await listed()).join() === "old");
    const again = await join("moves", { ...newMemberKeys(), signing: first.keys.signing });
    await again.write(service("new"));
    await until("new facts only", async () => (await listed()).join() === "new");
    await until("cut off", async () => !(await canWrite(first)), 30_000);
    expect(await canWrite(again)).toBe(true);
  });

  test("answers the same entry to the same request: a lost answer is no trap", async () => {
    const keys = newMemberKeys();
    const body = rig.joinBody("lost", keys, await rig.joinSecret("lost"));
    const one = await rig.post<JoinAnswer>("/v1/join", body, "");
    const two = await rig.post<JoinAnswer>("/v1/join", body, "");
    expect(two.data.membership).toEqual(one.data.membership);
    expect(await codeOf(rig.post("/v1/clusters/lost/leave", {}, one.data.apiToken))).toBe("HSA3001");
  });

  test("stays pinned after leave, and the account is off the bus", async () => {
    const member = await join("gone");
    expect(await canWrite(member)).toBe(true);
    await rig.post("/v1/clusters/gone/leave", {}, member.answer.apiToken);
    await isState("gone", "left");
    expect(await codeOf(rig.get("/v1/positions", member.answer.apiToken))).toBe("HSA3001");
    await until("cut off", async () => !(await canWrite(member)), 30_000);
    expect(await codeOf(rig.join("gone"))).toBe("HSA3004");
    const back = await join("gone", member.keys);
    await isState("gone", "active");
    expect(back.answer.membership.incarnation).toBe(2);
    expect(await canWrite(back)).toBe(true);
  });
});

test("a grant is at most the token's", async () => {
  const wanted = grantOf({ namespaces: ["shop", "bank"], cidrs: ["127.9.1.0/24", "10.0.0.0/8"] });
  const body = rig.joinBody("grant", newMemberKeys(), await rig.joinSecret("grant"), { wanted });
  const { data } = await rig.post<JoinAnswer>("/v1/join", body, "");
  expect(data.membership.grant).toMatchObject({ namespaces: ["shop"], cidrs: ["127.9.1.0/24"] });
});

test("a member that writes above its granted rate is off the bus for a while, the others are not", async () => {
  const slow = grantOf({ quotas: { ...quotas, recordsPerSecond: 1 } });
  const flooder = await join("flood", newMemberKeys(), slow);
  const calm = await join("calm");
  const isSuspended = async () =>
    (await rig.store.db.query("select 1 from member where cluster = 'flood' and suspended")).length === 1;
  await until("suspended", async () => {
    if (await isSuspended()) return true;
    await canWrite(flooder);
    return false;
  });
  await until("cut off", async () => !(await canWrite(flooder)));
  expect(await canWrite(calm)).toBe(true);
  await until("resumed", async () => !(await isSuspended()));
  await until("on the bus again", () => canWrite(flooder), 30_000);
});

describe("operators", () => {
  test("evict: inert, off the bus, without API; back only when they admit it", async () => {
    const member = await join("bad");
    await member.write(service("pay"));
    await until("service shown", async () => {
      const { data } = await rig.get<{ items: { effective: boolean }[] }>("/v1/services?cluster=bad");
      return data.items[0]?.effective === true;
    });
    const order = { do: "evict", cluster: "bad", incarnation: 1 } as const;
    expect(await codeOf(rig.post("/v1/commands", rig.command(order, newSigningKey().signer)))).toBe(
      "HSA3007",
    );
    expect(await codeOf(rig.post("/v1/commands", rig.command({ ...order, incarnation: 7 })))).toBe("HSA3007");
    await rig.post("/v1/commands", rig.command(order));
    await isState("bad", "evicted");
    const { data } = await rig.get<{ items: { effective: boolean }[] }>("/v1/services?cluster=bad");
    expect(data.items).toMatchObject([{ effective: false }]);
    await until(
      "token ended",
      async () => (await codeOf(rig.get("/v1/positions", member.answer.apiToken))) === "HSA3001",
    );
    await until("cut off", async () => !(await canWrite(member)), 30_000);

    await member.close();
    const back = await join("bad", member.keys);
    expect(back.answer.membership.incarnation).toBe(2);
    await until("asked again", async () => (await cluster("bad"))?.incarnation === 2);
    expect((await cluster("bad"))?.state).toBe("evicted");
    await rig.post("/v1/commands", rig.command({ do: "admit", cluster: "bad", incarnation: 2 }));
    await isState("bad", "active");
    await until("on the bus again", () => canWrite(back), 30_000);
  });

  test("evict through another member's log works while the hub is down", async () => {
    const carrier = await join("carrier");
    await join("victim");
    await rig.hub.kill();
    const command = rig.command(
      { do: "evict", cluster: "victim", incarnation: 1 },
      rig.operator.signer,
      "x1",
    );
    await carrier.write({ type: "CommandSet", v: 1, key: "command/x1", at: 1, data: command });
    await rig.startHub();
    await isState("victim", "evicted");
    const out = "select 1 from member where cluster = 'victim' and state = 'evicted' and suspended";
    await until("its row follows", async () => (await rig.store.db.query(out)).length === 1);
    // The hub carries the command on, for those who join when its carrier has forgotten it.
    const carriers = "select distinct source from event where key = 'command/x1'";
    await until("in the hub's log", async () => (await rig.store.db.query(carriers)).length === 2);
  });

  test("re-key: the new key joins, the old one does not", async () => {
    const member = await join("rekey");
    const fresh = { ...member.keys, signing: newSigningKey() };
    const signingKey = base64(fresh.signing.signer.publicKey);
    await rig.post(
      "/v1/commands",
      rig.command({ do: "rekey", cluster: "rekey", incarnation: 1, signingKey }),
    );
    await until("row follows", async () => {
      const rows = await rig.store.db.query<{ signing_key: string }>(
        "select signing_key from member where cluster = 'rekey'",
      );
      return rows[0]?.signing_key === signingKey;
    });
    expect(await codeOf(rig.join("rekey", member.keys))).toBe("HSA3004");
    const back = await join("rekey", fresh);
    await until("incarnation 2", async () => (await cluster("rekey"))?.incarnation === 2);
    expect(await canWrite(back)).toBe(true);
  });

  test("what was asked, and by whom, is in the audit trail", async () => {
    const { data } = await rig.get<{ items: { action: string; subject: string; actor: string }[] }>(
      "/v1/audit?limit=900",
    );
    const actions = new Set(data.items.map(({ action }) => action));
    for (const action of ["join-token", "join", "rejoin", "leave", "command evict"])
      expect(actions).toContain(action);
    expect(data.items.every(({ actor }) => actor !== "")).toBe(true);
  });
});
