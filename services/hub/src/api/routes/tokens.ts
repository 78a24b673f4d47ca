/** Join tokens and API tokens. */
import { HansaError } from "@hansa/core";
import { listTokens } from "@hansa/store";
import * as z from "zod";
import type { Leader } from "../../leader/leader.ts";
import { QUOTAS_DEFAULT } from "../../membership/grant.ts";
import { endToken, makeApiToken, makeJoinToken } from "../../membership/tokens.ts";
import type { Hub } from "../hub.ts";
import { type Answer, allows, type Call, type Route } from "../route.ts";
import { name } from "./query.ts";

const TTL_DEFAULT_SECONDS = 15 * 60;
const JOIN_TTL_SECONDS_MAX = 7 * 24 * 3600;
const quota = (fallback: number) => z.number().int().min(1).max(fallback).default(fallback);

const grant = z.strictObject({
  namespaces: z.array(z.string().max(63)).max(1000).default([]),
  cidrs: z.array(z.string().max(64)).max(256).default([]),
  region: z.string().min(1).max(63),
  zones: z.array(z.string().min(1).max(63)).max(64).default([]),
  network: z.string().max(63).default(""),
  claims: z.array(z.string().max(253)).max(64).default([]),
  quotas: z
    .strictObject({
      services: quota(QUOTAS_DEFAULT.services),
      endpoints: quota(QUOTAS_DEFAULT.endpoints),
      identities: quota(QUOTAS_DEFAULT.identities),
      bytesPerSecond: quota(QUOTAS_DEFAULT.bytesPerSecond),
      recordsPerSecond: quota(QUOTAS_DEFAULT.recordsPerSecond),
    })
    .prefault({}),
});

const joinOrder = z.strictObject({
  kind: z.literal("join").default("join"),
  cluster: name,
  ttlSeconds: z.number().int().min(1).max(JOIN_TTL_SECONDS_MAX).default(TTL_DEFAULT_SECONDS),
  uses: z.literal(1).default(1),
  grant,
});

const apiOrder = z.strictObject({
  kind: z.literal("api"),
  name,
  role: z.enum(["viewer", "operator", "admin"]),
  ttlSeconds: z
    .number()
    .int()
    .min(1)
    .max(10 * 365 * 24 * 3600)
    .optional(),
});

async function make(hub: Hub, { body, principal }: Call, leader: Leader): Promise<Answer> {
  const order = body as z.output<typeof joinOrder> | z.output<typeof apiOrder>;
  const actor = principal?.name ?? "";
  const epoch = leader.mayWrite();
  if (order.kind === "join") {
    const made = await makeJoinToken(hub, epoch, actor, {
      cluster: order.cluster,
      ttlMs: order.ttlSeconds * 1000,
      grant: order.grant,
    });
    return { data: shown(made) };
  }
  if (principal === null || !allows(principal.role, "admin"))
    throw new HansaError("HSA3002", `an API token needs the role admin; the token has ${principal?.role}`);
  const ttlMs = order.ttlSeconds === undefined ? null : order.ttlSeconds * 1000;
  return {
    data: shown(await makeApiToken(hub, epoch, actor, { name: order.name, role: order.role, ttlMs })),
  };
}

const shown = ({ expiresMs, ...made }: { id: string; token: string; expiresMs: number | null }) => ({
  ...made,
  expiresAt: iso(expiresMs),
});

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

async function tokens(hub: Hub): Promise<Answer> {
  const { join, api } = await listTokens(hub.store.db);
  const items = [
    ...join.map((token) => ({
      kind: "join",
      id: token.id,
      cluster: token.cluster,
      grant: token.granted,
      createdBy: token.createdBy,
      createdAt: iso(token.createdMs),
      expiresAt: iso(token.expiresMs),
      usedAt: iso(token.usedMs),
      revokedAt: iso(token.revokedMs),
    })),
    ...api.map((token) => ({
      kind: "api",
      id: token.id,
      name: token.name,
      role: token.role,
      cluster: token.cluster,
      createdBy: token.createdBy,
      createdAt: iso(token.createdMs),
      expiresAt: iso(token.expiresMs),
      revokedAt: iso(token.revokedMs),
    })),
  ];
  return { data: { items, next: null } };
}

export const tokenRoutes = (hub: Hub): Route[] => [
  {
    method: "POST",
    path: "/v1/tokens",
    kind: "Token",
    summary: "Makes a join token (operator) or an API token (admin); the secret is shown once",
    access: "operator",
    body: z.union([apiOrder, joinOrder]),
    lead: (call, leader) => make(hub, call, leader),
  },
  {
    method: "GET",
    path: "/v1/tokens",
    kind: "TokenList",
    summary: "Tokens without their secrets",
    access: "operator",
    handle: () => tokens(hub),
  },
  {
    method: "DELETE",
    path: "/v1/tokens/:id",
    kind: "Token",
    summary: "Revokes a token",
    access: "operator",
    lead: async ({ params, principal }, leader) => {
      const id = params.id ?? "";
      await endToken(hub, leader.mayWrite(), principal?.name ?? "", id);
      return { data: { id, revoked: true } };
    },
  },
];
