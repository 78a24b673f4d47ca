/**
 * Join: one token, one name, one key. Checks the cluster's signed request and its possession of every key that it
 * names, pins the name to the signing key for ever, and countersigns at most what the token grants. The same request
 * with the same secret answers the same entry again, so that a lost answer is no trap.
 */
import { fromBase64, HansaError, utf8 } from "@hansa/core";
import {
  countersign,
  currentVersion,
  type Genesis,
  type Grant,
  type MembershipRequest,
  type MembershipValue,
  membershipKey,
  verifyRequest,
} from "@hansa/events";
import type { CommandTx, JoinToken, Member } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import { type Accounts, reserveStreams } from "./accounts.ts";
import { narrow } from "./grant.ts";
import { rawKeyOf } from "./nkey.ts";
import { newSecret } from "./secrets.ts";

export interface JoinBody {
  readonly secret: string;
  /** Canonical JSON of the MembershipRequest. */
  readonly request: string;
  readonly signature: string;
  /** base64 Ed25519 by the account's and the user's nkey over the request's bytes. */
  readonly accountProof: string;
  readonly userProof: string;
}

export interface Joined {
  readonly membership: MembershipValue;
  readonly genesis: Genesis;
  readonly fingerprint: string;
  readonly accountJwt: string;
  readonly userJwt: string;
  readonly nats: { readonly servers: readonly string[] };
  readonly hubCa: string;
  readonly apiToken: string;
}

/** What the fold says of a name that was a member before. */
export interface Known {
  /** base64; a re-key by operators counts. */
  readonly signingKey: string;
  readonly frozen: boolean;
}

interface Decision {
  readonly member: Member;
  readonly apiToken: string;
  /** What must be in the log before the account may write. */
  readonly outboxId: number;
}

/** `publish` waits until the outbox row is in the hub's log: an account that could write before would be parked. */
export async function join(
  hub: LeaderContext,
  leaderEpoch: number,
  body: JoinBody,
  known: (cluster: string) => Known | undefined,
  accounts: Accounts,
  publish: (outboxId: number) => Promise<void>,
): Promise<Joined> {
  const request = checkRequest(hub, body);
  await reserveStreams(hub, request.accountKey);
  const decision = await hub.store.command(leaderEpoch, (tx) =>
    decide(hub, tx, body, request, known(request.cluster)),
  );
  await publish(decision.outboxId);
  await accounts.push();
  hub.log.info("cluster joined", { cluster: request.cluster, incarnation: decision.member.incarnation });
  const { keys, config } = hub;
  return {
    membership: decision.member.membership,
    genesis: keys.genesis,
    fingerprint: keys.fingerprint,
    accountJwt: decision.member.accountJwt,
    userJwt: await keys.issuer.issueUser({
      accountKey: request.accountKey,
      userKey: request.userKey,
      name: request.cluster,
    }),
    nats: { servers: config.nats.advertised ?? config.nats.servers },
    hubCa: keys.tls.certPem,
    apiToken: decision.apiToken,
  };
}

function checkRequest({ keys, crypto }: LeaderContext, body: JoinBody): MembershipRequest {
  const checked = verifyRequest(body.request, body.signature, keys.fingerprint, crypto);
  if (checked.kind === "problem") throw new HansaError(checked.code, `join: ${checked.message}`);
  const { request } = checked;
  const proofs = [
    ["accountProof", rawKeyOf(request.accountKey, "account"), body.accountProof],
    ["userProof", rawKeyOf(request.userKey, "user"), body.userProof],
  ] as const;
  for (const [name, key, proof] of proofs) {
    if (key === undefined) throw new HansaError("HSA1004", `join: ${name}: the request names no such key`);
    const signature = fromBase64(proof);
    if (signature === undefined || !crypto.verify(key, utf8(body.request), signature))
      throw new HansaError(
        "HSA3001",
        `join: ${name}: does not verify; sign the request's bytes with that key`,
      );
  }
  if (request.accountKey === keys.issuer.hubAccount)
    throw new HansaError("HSA3004", "join: that account is the hub's");
  return request;
}

async function decide(
  hub: LeaderContext,
  tx: CommandTx,
  body: JoinBody,
  request: MembershipRequest,
  known: Known | undefined,
): Promise<Decision> {
  const token = await tx.joinToken(body.secret);
  if (token === null) throw new HansaError("HSA3003", "join: the token is unknown");
  if (token.cluster !== request.cluster)
    throw new HansaError("HSA3003", `join: the token is for ${token.cluster}, not for ${request.cluster}`);
  if (token.revokedMs !== null) throw new HansaError("HSA3003", "join: the token was revoked");
  const member = await tx.member(request.cluster);
  const pinned = known?.signingKey ?? member?.signingKey;
  if (pinned !== undefined && pinned !== request.signingKey)
    throw new HansaError(
      "HSA3004",
      `join: ${request.cluster} is pinned to another signing key; where the cluster was made anew, operators order "rekey ${request.cluster} ${request.signingKey}"`,
    );
  if (known?.frozen === true)
    throw new HansaError(
      "HSA3009",
      `join: ${request.cluster} is frozen: two versions of one of its records exist`,
    );
  if (token.usedMs !== null) return repeat(hub, tx, body, member);
  if (token.expiresMs <= tx.nowMs) throw new HansaError("HSA3003", "join: the token has expired");
  return admit(hub, tx, body, request, token, member);
}

/** The token admitted exactly this request before: the answer was lost on the way. */
async function repeat(
  hub: LeaderContext,
  tx: CommandTx,
  body: JoinBody,
  member: Member | null,
): Promise<Decision> {
  if (member?.membership.request !== body.request || member.state === "left")
    throw new HansaError("HSA3003", "join: the token was used");
  const apiToken = await renewAgentToken(hub, tx, member.cluster);
  // Whatever was decided earlier, that entry too: it may wait for the bus since then.
  return { member, apiToken, outboxId: 0 };
}

async function admit(
  hub: LeaderContext,
  tx: CommandTx,
  body: JoinBody,
  request: MembershipRequest,
  token: JoinToken,
  before: Member | null,
): Promise<Decision> {
  const holder = await tx.memberOfAccount(request.accountKey);
  if (holder !== null && holder.cluster !== request.cluster)
    throw new HansaError("HSA3004", "join: that account belongs to another cluster");
  const { keys } = hub;
  const grant: Grant = narrow(token.granted, request.wanted);
  const incarnation = (before?.incarnation ?? 0) + 1;
  const fields = {
    cluster: request.cluster,
    incarnation,
    state: "active",
    admittedMs: tx.nowMs,
    grant,
    request: body.request,
    requestSignature: body.signature,
  } as const;
  const membership = countersign(fields, keys.signer, keys.fingerprint);
  // An evicted name may ask again; it stays out until operators admit this incarnation.
  const suspended = before?.state === "evicted";
  const account = { accountKey: request.accountKey, name: request.cluster, suspended };
  const accountJwt = await keys.issuer.issueAccount(account);
  const member: Member = {
    cluster: request.cluster,
    signingKey: request.signingKey,
    account: request.accountKey,
    incarnation,
    state: suspended ? "evicted" : "active",
    membership,
    accountJwt,
    userKey: request.userKey,
    suspended,
  };
  await tx.saveMember(member);
  await tx.useJoinToken(token.id);
  const apiToken = await renewAgentToken(hub, tx, request.cluster);
  const key = membershipKey(request.cluster);
  const outboxId = await tx.enqueue({
    type: "MembershipSet",
    v: currentVersion("MembershipSet"),
    key,
    at: tx.nowMs,
    data: membership,
  });
  await tx.audit({
    actor: `join-token ${token.id} of ${token.createdBy}`,
    action: before === null ? "join" : "rejoin",
    subject: request.cluster,
    details: { incarnation, account: request.accountKey, signingKey: request.signingKey, grant },
  });
  if (before !== null && before.account !== request.accountKey) {
    const old = { accountKey: before.account as typeof request.accountKey, name: request.cluster };
    await tx.saveAccount(before.account, await keys.issuer.issueAccount({ ...old, suspended: true }));
  }
  return { member, apiToken, outboxId };
}

/** The one credential of a member's agent at this API; earlier ones end. */
async function renewAgentToken(hub: LeaderContext, tx: CommandTx, cluster: string): Promise<string> {
  await tx.revokeTokensOfCluster(cluster);
  const { id, secret } = newSecret(hub.random);
  const token = { id, name: `agent of ${cluster}`, role: "agent", cluster } as const;
  await tx.addApiToken({ ...token, createdBy: "join", createdMs: tx.nowMs, expiresMs: null }, secret);
  return secret;
}
