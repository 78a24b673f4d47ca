/**
 * The route registry: every route is one entry with its role, so that none can be served, documented or tested without
 * saying who may call it.
 */
import type { HansaError } from "@hansa/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { Leader } from "../leader/leader.ts";

/** `none`: no credential at all. `secret`: the body carries its own (join). */
export type Access = "none" | "secret" | "agent" | "viewer" | "operator" | "admin";

const RANK: Readonly<Record<Access, number>> = {
  none: 0,
  secret: 0,
  agent: 1,
  viewer: 2,
  operator: 3,
  admin: 4,
};

export const allows = (role: Access, needed: Access): boolean => RANK[role] >= RANK[needed];

export interface Principal {
  /** For the audit trail. */
  readonly name: string;
  readonly role: "agent" | "viewer" | "operator" | "admin";
  /** Set for agents: the one cluster they speak for. */
  readonly cluster: string | null;
}

export interface Call {
  readonly principal: Principal | null;
  readonly params: Readonly<Record<string, string>>;
  /** Validated by `query` and `body` of the route. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface Answer {
  readonly data: unknown;
  readonly position?: number;
  readonly committedMs?: number;
}

interface Entry {
  readonly method: "GET" | "POST" | "DELETE";
  /** Fastify path, `:name` for parameters. */
  readonly path: string;
  readonly kind: string;
  readonly summary: string;
  readonly access: Access;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Default 64 KiB. */
  readonly bodyBytesMax?: number;
  /** Codes that this route answers beside the common ones. */
  readonly codes?: readonly HansaError["code"][];
  /** Answers as it likes (metrics, streams, documents of another format) and returns undefined. */
  readonly raw?: boolean;
}

/** Any replica answers it. */
interface HandledRoute extends Entry {
  handle(call: Call): Promise<Answer | undefined>;
}

/** Only the leader answers it; the others pass it on (pass-on.ts). */
interface LeaderRoute extends Entry {
  lead(call: Call, leader: Leader): Promise<Answer | undefined>;
}

export type Route = HandledRoute | LeaderRoute;
