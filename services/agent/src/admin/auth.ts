/** Who calls the admin API and what they may do. Loopback is no exemption (design §4). */
import { createHash, timingSafeEqual } from "node:crypto";
import { HansaError } from "@hansa/core";

export type Role = "viewer" | "operator" | "admin";
const RANK: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 };

export interface TokenEntry {
  readonly name: string;
  readonly role: Role;
  /** Hex SHA-256 of the token. */
  readonly sha256: string;
}

export interface Actor {
  readonly name: string;
  readonly role: Role;
}

export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Throws HSA3001 without a valid credential and HSA3002 for one of too low a role. */
export function authorize(header: string | undefined, needed: Role, tokens: readonly TokenEntry[]): Actor {
  const presented = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/.exec(header ?? "")?.[1];
  if (presented === undefined)
    throw new HansaError("HSA3001", "authorization: a bearer token is needed (Authorization: Bearer …)");
  const hash = Buffer.from(hashToken(presented), "hex");
  const entry = tokens.find(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, "hex"), hash));
  if (entry === undefined) throw new HansaError("HSA3001", "authorization: the token is not valid here");
  if (RANK[entry.role] < RANK[needed])
    throw new HansaError("HSA3002", `${entry.name}: role ${entry.role} may not do this, ${needed} is needed`);
  return { name: entry.name, role: entry.role };
}
