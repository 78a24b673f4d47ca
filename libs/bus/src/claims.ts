/** What the JWTs of the bus say: exports of the hub's account, imports and limits of a cluster's (design §3 "Bus"). */
import type { AccountKey } from "@hansa/core";
import { LANES } from "@hansa/events";
import type { Account, Export, Import, Operator, User } from "@nats-io/jwt";
import { CONNECTIONS_PER_ACCOUNT_MAX, MESSAGE_BYTES_MAX, SUBSCRIPTIONS_PER_ACCOUNT_MAX } from "./limits.ts";
import * as subjects from "./subjects.ts";

const NO_LIMIT = -1;
/** Headers and the JSON around them count as payload: a little above the stream's bound. */
const CLUSTER_PAYLOAD_MAX = MESSAGE_BYTES_MAX + 4096;

export const operatorClaims = (systemAccount: string): Partial<Operator> => ({
  system_account: systemAccount,
});

const accountLimits = {
  subs: NO_LIMIT,
  data: NO_LIMIT,
  payload: NO_LIMIT,
  imports: NO_LIMIT,
  exports: NO_LIMIT,
  wildcards: true,
  conn: NO_LIMIT,
  leaf: NO_LIMIT,
};

export const systemClaims = (): Partial<Account> => ({ limits: accountLimits });

/**
 * `account_token_position: 2` binds the second token of an imported subject to the importing account: a cluster can
 * import its own log only. Direct Get answers a batch in many messages, hence the response type.
 */
export const hubClaims = (): Partial<Account> => {
  const written = (name: string, subject: string): Export => ({
    name,
    subject,
    type: "service",
    response_type: "Singleton",
    account_token_position: 2,
  });
  const read = (name: string, stream: string): Export => ({
    name,
    subject: subjects.directGetSubject(stream),
    type: "service",
    response_type: "Stream",
  });
  return {
    limits: {
      ...accountLimits,
      mem_storage: NO_LIMIT,
      disk_storage: NO_LIMIT,
      streams: NO_LIMIT,
      consumer: NO_LIMIT,
    },
    exports: [
      written("log", subjects.FED_SUBJECTS),
      written("beat", subjects.BEAT_SUBJECTS),
      read("get-fed", subjects.FED_STREAM),
      read("get-beat", subjects.BEAT_STREAM),
      { name: "tail", subject: subjects.TAIL_SUBJECTS, type: "stream" },
    ],
  };
};

/** Users issued up to then, seconds. */
const EVER = 2 ** 31;

/** `suspended` leaves the account in the resolver without a connection or an import: the way to stop a flooder. */
export function clusterClaims(
  account: AccountKey,
  hub: AccountKey,
  signingKey: string,
  suspended: boolean,
): Partial<Account> {
  const service = (subject: string, local: string): Import => ({
    name: local,
    subject,
    local_subject: local,
    account: hub,
    type: "service",
  });
  const imports: Import[] = [
    ...LANES.map((lane) => service(subjects.fedSubject(account, lane), subjects.localLogSubject(lane))),
    service(subjects.beatSubject(account), subjects.LOCAL_BEAT),
    service(subjects.directGetSubject(subjects.FED_STREAM), subjects.LOCAL_GET_FED),
    service(subjects.directGetSubject(subjects.BEAT_STREAM), subjects.LOCAL_GET_BEAT),
    { name: "tail", subject: subjects.TAIL_SUBJECTS, account: hub, type: "stream" },
  ];
  return {
    limits: {
      ...accountLimits,
      subs: SUBSCRIPTIONS_PER_ACCOUNT_MAX,
      payload: CLUSTER_PAYLOAD_MAX,
      exports: 0,
      conn: suspended ? 0 : CONNECTIONS_PER_ACCOUNT_MAX,
      leaf: 0,
    },
    imports: suspended ? [] : imports,
    // No connection at all would do; refused by name, an agent can tell it from a server that is away.
    ...(suspended ? { revocations: { "*": EVER } } : {}),
    signing_keys: [signingKey],
  };
}

/**
 * An agent's user. The account's imports are the boundary (who holds the account's seed can make any user); this
 * list is a second fence around stolen agent credentials.
 */
export const agentUserClaims = (): Partial<User> => ({
  pub: {
    allow: [
      ...LANES.map(subjects.localLogSubject),
      subjects.LOCAL_BEAT,
      subjects.LOCAL_GET_FED,
      subjects.LOCAL_GET_BEAT,
    ],
  },
  sub: { allow: [subjects.TAIL_SUBJECTS, "_INBOX.>"] },
});
