/**
 * A real bus with a victim and an attacker: a member with everything a member can have, the seed of its account, hence
 * users of its own making, and a raw NATS client. One per spec file.
 */
import { utf8 } from "@hansa/core";
import type { BusRecord, LogBus } from "@hansa/events";
import { encodeUser } from "@nats-io/jwt";
import { createUser, fromSeed } from "@nats-io/nkeys";
import { type ConnectionOptions, connect, jwtAuthenticator, type Msg, type NatsConnection } from "nats";
import { someRecord } from "./log-bus.contract.ts";
import { type Member, NatsWorld } from "./log-bus.world.ts";

export const TIMEOUT_MS = 1500;
export const NO_RESPONDERS = "503";

export const world = await NatsWorld.create();
const open: NatsConnection[] = [];

export async function close(): Promise<void> {
  await Promise.all(open.map((connection) => connection.close()));
  await world.close();
}

export async function connectWith(
  jwt: string,
  seed: string,
  options: ConnectionOptions = {},
): Promise<NatsConnection> {
  const connection = await connect({
    servers: `127.0.0.1:${world.port}`,
    authenticator: jwtAuthenticator(jwt, utf8(seed)),
    maxReconnectAttempts: -1,
    ...options,
  });
  open.push(connection);
  return connection;
}

/** A user that the member signed itself, without any restriction. */
export async function connectRaw(member: Member, options: ConnectionOptions = {}): Promise<NatsConnection> {
  const user = createUser();
  const jwt = await encodeUser("self-made", user.getPublicKey(), fromSeed(utf8(member.accountSeed)));
  return connectWith(jwt, new TextDecoder().decode(user.getSeed()), options);
}

export async function codeOf(work: Promise<Msg>): Promise<string> {
  try {
    return (await work).string();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

export const ask = (
  client: NatsConnection,
  subject: string,
  body: string | Uint8Array = "{}",
): Promise<string> => codeOf(client.request(subject, body, { timeout: TIMEOUT_MS }));

export const logOf = (bus: Pick<LogBus, "account">, lane: "sum" | "ep" = "sum"): Promise<BusRecord[]> =>
  world.hub.read({ account: bus.account, lane }, 1, 256);

export async function store(bus: LogBus): Promise<number> {
  const expected = (await bus.lastOwn("sum"))?.streamSeq ?? 0;
  const outcome = await bus.publish(someRecord(bus), expected);
  if (outcome.kind !== "stored") throw new Error(JSON.stringify(outcome));
  return outcome.streamSeq;
}

export const victim = await world.join();
export const attacker = await world.admit();
export const raw = await connectRaw(attacker);
const hubCreds = await world.issuer.hubCredentials();
/** The hub's own account, for set-ups without a defence. */
export const hubRaw = await connectWith(hubCreds.jwt, hubCreds.seed);
