/** Makes and ends tokens. A secret is shown once, in the answer that made it; nobody gives more than they have. */
import { HansaError, parseClusterName } from "@hansa/core";
import type { Grant } from "@hansa/events";
import type { Role } from "@hansa/store";
import type { HubContext } from "../context.ts";
import { pinOf } from "../init.ts";
import { checkGrant } from "./grant.ts";
import { newSecret } from "./secrets.ts";

export interface Made {
  readonly id: string;
  /** What the user hands on. */
  readonly token: string;
  readonly expiresMs: number | null;
}

/** What an agent needs to find the hub, to know it, and to be let in. */
export interface JoinTicket {
  readonly hub: readonly string[];
  /** Hex SHA-256 of the API CA's DER. */
  readonly caPin: string;
  readonly cluster: string;
  /** Name of the federation: the agent makes the CA of its trust domain before it asks. */
  readonly federation: string;
  readonly fingerprint: string;
  readonly secret: string;
}

export const JOIN_TICKET_PREFIX = "hansa1.";

export const encodeTicket = (ticket: JoinTicket): string =>
  JOIN_TICKET_PREFIX + Buffer.from(JSON.stringify(ticket)).toString("base64url");

export async function makeJoinToken(
  hub: HubContext,
  leaderEpoch: number,
  actor: string,
  order: { readonly cluster: string; readonly ttlMs: number; readonly grant: Grant },
): Promise<Made> {
  const { keys, config, store } = hub;
  if (parseClusterName(order.cluster) === undefined)
    throw new HansaError("HSA1004", `cluster: ${order.cluster} is not a cluster name, or it is reserved`);
  checkGrant(order.grant, keys.genesis.lab);
  const { id, secret } = newSecret(hub.random);
  const expiresMs = await store.command(leaderEpoch, async (tx) => {
    const times = { createdMs: tx.nowMs, expiresMs: tx.nowMs + order.ttlMs };
    const token = { id, cluster: order.cluster, granted: order.grant, createdBy: actor, ...times };
    await tx.addJoinToken(token, secret);
    const details = { id, grant: order.grant, expiresMs: times.expiresMs };
    await tx.audit({ actor, action: "join-token", subject: order.cluster, details });
    return times.expiresMs;
  });
  const address = config.api.advertised ?? [`https://${config.api.hosts[0]}:${config.api.port}`];
  const caPin = pinOf(keys.tls.certPem);
  const { federation } = keys.genesis;
  const ticket = {
    hub: address,
    caPin,
    cluster: order.cluster,
    federation,
    fingerprint: keys.fingerprint,
    secret,
  };
  return { id, token: encodeTicket(ticket), expiresMs };
}

export async function makeApiToken(
  hub: HubContext,
  leaderEpoch: number,
  actor: string,
  order: { readonly name: string; readonly role: Exclude<Role, "agent">; readonly ttlMs: number | null },
): Promise<Made> {
  const { id, secret } = newSecret(hub.random);
  const expiresMs = await hub.store.command(leaderEpoch, async (tx) => {
    const ends = order.ttlMs === null ? null : tx.nowMs + order.ttlMs;
    const token = { id, name: order.name, role: order.role, cluster: null };
    await tx.addApiToken({ ...token, createdBy: actor, createdMs: tx.nowMs, expiresMs: ends }, secret);
    const details = { id, role: order.role, expiresMs: ends };
    await tx.audit({ actor, action: "api-token", subject: order.name, details });
    return ends;
  });
  return { id, token: secret, expiresMs };
}

export async function endToken(
  hub: HubContext,
  leaderEpoch: number,
  actor: string,
  id: string,
): Promise<void> {
  await hub.store.command(leaderEpoch, async (tx) => {
    const kind = await tx.revokeToken(id);
    if (kind === null) throw new HansaError("HSA1005", `token ${id}: not known`);
    await tx.audit({ actor, action: "revoke-token", subject: id, details: { kind } });
  });
}
