/**
 * A hostile member on a real NATS (T5, T9): writing where it may not. Each attack works on a bus that lacks one thing and
 * fails on the product's. Reply injection, poisoned message ids, forged server headers, flooding and erasing, both
 * ways: test/contract/bus-attacks.spec.ts.
 */
import { utf8 } from "@hansa/core";
import { type BusRecord, toHeaders, type WireRecord } from "@hansa/events";
import { type Account, decode, encodeAccount, encodeUser } from "@nats-io/jwt";
import { createUser, fromSeed } from "@nats-io/nkeys";
import { connect, headers, jwtAuthenticator, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { someRecord } from "../contract/log-bus.contract.ts";
import { type Member, NatsWorld, retry } from "../contract/log-bus.world.ts";

const TIMEOUT_MS = 1500;

/** The hub's account exports its subjects to whoever imports them, as a service export does by default. */
const withoutTokenPosition: Parameters<typeof NatsWorld.create>[1] = async (issuer, keys) => {
  const claims = decode<Account>(issuer.hubAccountJwt).nats;
  const exported = (claims.exports ?? []).map(({ account_token_position: _, ...rest }) => rest);
  const [hub, operator] = [keys.hubSeed, keys.operatorSeed].map((seed) => fromSeed(utf8(seed)));
  const hubAccountJwt = await encodeAccount(
    "hub",
    hub!,
    { ...claims, exports: exported },
    { signer: operator! },
  );
  return { ...issuer, hubAccountJwt };
};

let here: NatsWorld;
let weak: NatsWorld;
const open: NatsConnection[] = [];
beforeAll(async () => {
  [here, weak] = await Promise.all([NatsWorld.create(), NatsWorld.create(undefined, withoutTokenPosition)]);
});
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await Promise.all([here?.close(), weak?.close()]);
});

async function connectWith(world: NatsWorld, jwt: string, seed: string): Promise<NatsConnection> {
  const servers = `127.0.0.1:${world.port}`;
  const connection = await connect({ servers, authenticator: jwtAuthenticator(jwt, utf8(seed)) });
  open.push(connection);
  return connection;
}

/** A user that the member signed itself: whoever holds an account's seed can make any. */
async function rawOf(world: NatsWorld, member: Member): Promise<NatsConnection> {
  const user = createUser();
  const jwt = await encodeUser("self-made", user.getPublicKey(), fromSeed(utf8(member.accountSeed)));
  return connectWith(world, jwt, new TextDecoder().decode(user.getSeed()));
}

async function put(client: NatsConnection, subject: string, record: WireRecord): Promise<string> {
  const sent = headers();
  for (const [name, value] of Object.entries(toHeaders(record.header))) sent.set(name, value);
  try {
    const answer = await client.request(subject, record.body, { headers: sent, timeout: TIMEOUT_MS });
    return answer.json<{ stream?: string }>().stream ?? answer.string();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const texts = (log: readonly BusRecord[]): string[] =>
  log.map(({ record }) => new TextDecoder().decode(record.body).replace(/ \d+$/, ""));

describe("a member whose account was given an import of another's log", () => {
  const attack = async (world: NatsWorld) => {
    const victim = await world.join();
    await victim.publish(someRecord(victim, "sum", "true"), 0);
    const rogue = await world.admit();
    const theft = {
      name: "theft",
      subject: `fed.${victim.account}.sum`,
      local_subject: "theft",
      account: world.issuer.hubAccount,
      type: "service" as const,
    };
    const limits = { imports: -1, conn: -1, subs: -1, data: -1, payload: -1 };
    const signer = fromSeed(utf8(world.keys.operatorSeed));
    const jwt = await encodeAccount("rogue", rogue.account, { limits, imports: [theft] }, { signer });
    await world.hub.pushAccount(jwt);
    const said = await put(await rawOf(world, rogue), "theft", someRecord(victim, "sum", "forged"));
    const log = texts(await victim.read({ account: victim.account, lane: "sum" }, 1, 256));
    return { said, log };
  };

  it("writes there where exports are not bound to the importing account (T5)", async () => {
    expect(await attack(weak)).toEqual({ said: "FED", log: ["true", "forged"] });
  });

  it("reaches nobody here, though the operator's key signed the import", async () => {
    expect(await attack(here)).toEqual({ said: "503", log: ["true"] });
  });
});

describe("a member that publishes to another's subject", () => {
  const attack = async (client: NatsConnection) => {
    const victim = await here.join();
    const said = await put(client, `fed.${victim.account}.sum`, someRecord(victim, "sum", "forged"));
    return { said, stored: (await victim.lastOwn("sum")) !== null };
  };

  it("is believed where all members share one account (T5)", async () => {
    const { jwt, seed } = await here.issuer.hubCredentials();
    expect(await attack(await connectWith(here, jwt, seed))).toEqual({ said: "FED", stored: true });
  });

  it("has an account of its own here, in which that subject is nothing", async () => {
    expect(await attack(await rawOf(here, await here.admit()))).toEqual({ said: "503", stored: false });
  });
});

describe("an agent that was paused while another took its place", () => {
  it("writes over it where nothing is expected of the subject; here the fence refuses it (T9)", async () => {
    const member = await here.admit();
    const [paused, successor] = [await here.connectAs(member), await here.connectAs(member)];
    const first = await paused.publish(someRecord(paused, "sum", "old"), 0);
    if (first.kind !== "stored") throw new Error(JSON.stringify(first));
    await retry(async () => {
      const next = await successor.publish(someRecord(successor, "sum", "new"), first.streamSeq);
      if (next.kind !== "stored") throw new Error(JSON.stringify(next));
    });
    expect(await paused.publish(someRecord(paused, "sum", "stale"), first.streamSeq)).toEqual({
      kind: "refused",
    });
    const log = async () => texts(await paused.read({ account: paused.account, lane: "sum" }, 1, 256));
    expect(await log()).toEqual(["old", "new"]);
    await put(await rawOf(here, member), "log.sum", someRecord(paused, "sum", "stale"));
    expect(await log()).toEqual(["old", "new", "stale"]);
  });
});
