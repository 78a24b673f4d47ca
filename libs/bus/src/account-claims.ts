/** Pushes account JWTs into the servers' resolver through the system account; no server restarts (design §3 "Bus"). */
import { HansaError, utf8 } from "@hansa/core";
import { decode } from "@nats-io/jwt";
import { type BusConnection, busDown, reasonOf } from "./connection.ts";

const UPDATE = "$SYS.REQ.CLAIMS.UPDATE";
const LIST = "$SYS.REQ.CLAIMS.LIST";

interface Answer {
  readonly data?: unknown;
  readonly error?: { readonly code?: number; readonly description?: string };
}

/**
 * Resolves when a server has taken it. Throws HSA2010, or HSA3001 where the JWT is not good. The server's resolver takes
 * JWTs of any issuer and fails at their next use (seen on 2.15.1): the issuer is checked here.
 */
export async function pushAccount(system: BusConnection, operatorKey: string, jwt: string): Promise<void> {
  if (issuerOf(jwt) !== operatorKey) throw new HansaError("HSA3001", "account JWT: not issued by this bus");
  const { error, data } = await ask(system, UPDATE, utf8(jwt));
  if (error !== undefined || (data as { code?: number } | undefined)?.code !== 200)
    throw new HansaError(
      "HSA3001",
      `account JWT: the bus refused it: ${error?.description ?? JSON.stringify(data)}`,
    );
}

/** Pushes those of `jwts` whose account the resolver does not hold; answers how many. */
export async function pushMissingAccounts(
  system: BusConnection,
  operatorKey: string,
  jwts: readonly string[],
): Promise<number> {
  const { data } = await ask(system, LIST, new Uint8Array(0));
  const present = new Set(Array.isArray(data) ? data : []);
  const missing = jwts.filter((jwt) => !present.has(decode(jwt).sub));
  for (const jwt of missing) await pushAccount(system, operatorKey, jwt);
  return missing.length;
}

/** The key whose signature the JWT carries; undefined where it does not verify. */
function issuerOf(jwt: string): string | undefined {
  try {
    return decode(jwt).iss;
  } catch {
    return undefined;
  }
}

async function ask(system: BusConnection, subject: string, body: Uint8Array): Promise<Answer> {
  try {
    const answer = await system.client.request(subject, body, { timeout: system.requestTimeoutMs });
    return answer.json<Answer>();
  } catch (error) {
    throw error instanceof HansaError ? error : busDown(`${subject}: ${reasonOf(error)}`);
  }
}
