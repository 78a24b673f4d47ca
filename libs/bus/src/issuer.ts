/**
 * The bus issuer: makes every JWT of the bus. Its operator key is the "bus key" of the design (not a Hansa operator's key).
 * Owns no I/O: the hub keeps `IssuerKeys` in its key directory and every issued account JWT in its store.
 */
import { type AccountKey, assert, parseAccountKey } from "@hansa/core";
import { encodeAccount, encodeOperator, encodeUser } from "@nats-io/jwt";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { agentUserClaims, clusterClaims, hubClaims, operatorClaims, systemClaims } from "./claims.ts";
import { type BusCredentials, isUserKey, keysOf, pairFromSeed } from "./keys.ts";

/** Seeds, all secret. `memberSeed` signs the users of every cluster's account. */
export interface IssuerKeys {
  readonly operatorSeed: string;
  readonly systemSeed: string;
  readonly hubSeed: string;
  readonly memberSeed: string;
}

export const newIssuerKeys = (): IssuerKeys => ({
  operatorSeed: keysOf(createOperator()).seed,
  systemSeed: keysOf(createAccount()).seed,
  hubSeed: keysOf(createAccount()).seed,
  memberSeed: keysOf(createAccount()).seed,
});

export interface AccountRequest {
  readonly accountKey: AccountKey;
  /** Cluster name, for people. */
  readonly name: string;
  readonly suspended?: boolean;
}

export interface UserRequest {
  readonly accountKey: AccountKey;
  readonly userKey: string;
  readonly name: string;
}

export interface Issuer {
  readonly hubAccount: AccountKey;
  readonly systemAccount: AccountKey;
  readonly operatorKey: string;
  readonly operatorJwt: string;
  readonly hubAccountJwt: string;
  readonly systemAccountJwt: string;
  issueAccount(request: AccountRequest): Promise<string>;
  issueUser(request: UserRequest): Promise<string>;
  /** Credentials of a fresh user of the hub's own account. */
  hubCredentials(): Promise<BusCredentials>;
  /** Credentials of a fresh user of the system account: pushes account JWTs. */
  systemCredentials(): Promise<BusCredentials>;
}

export async function createIssuer(keys: IssuerKeys, federation: string): Promise<Issuer> {
  const operator = pairFromSeed(keys.operatorSeed);
  const system = pairFromSeed(keys.systemSeed);
  const hub = pairFromSeed(keys.hubSeed);
  const member = pairFromSeed(keys.memberSeed);
  const hubAccount = parseAccountKey(hub.getPublicKey());
  const systemAccount = parseAccountKey(system.getPublicKey());
  assert(
    hubAccount !== undefined && systemAccount !== undefined,
    "issuer: hub and system seeds are account seeds",
  );

  const ownUser = async (name: string, account: typeof hub): Promise<BusCredentials> => {
    const user = keysOf(createUser());
    return { seed: user.seed, jwt: await encodeUser(name, user.publicKey, account) };
  };
  return {
    hubAccount,
    systemAccount,
    operatorKey: operator.getPublicKey(),
    operatorJwt: await encodeOperator(federation, operator, operatorClaims(systemAccount)),
    hubAccountJwt: await encodeAccount("hub", hub, hubClaims(), { signer: operator }),
    systemAccountJwt: await encodeAccount("SYS", system, systemClaims(), { signer: operator }),
    issueAccount: ({ accountKey, name, suspended = false }) => {
      const claims = clusterClaims(accountKey, hubAccount, member.getPublicKey(), suspended);
      return encodeAccount(name, accountKey, claims, { signer: operator });
    },
    issueUser: ({ accountKey, userKey, name }) => {
      assert(isUserKey(userKey), "issuer: a user key is a public user nkey");
      return encodeUser(name, userKey, accountKey, agentUserClaims(), { signer: member });
    },
    hubCredentials: () => ownUser("hub", hub),
    systemCredentials: () => ownUser("hub-accounts", system),
  };
}
