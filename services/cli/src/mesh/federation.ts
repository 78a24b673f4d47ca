/** What the hub, or any agent, says of the federation itself: fingerprint, operators, members. */
import { HansaError } from "@hansa/core";
import type { Operators } from "@hansa/events";
import { ask, askList, list, number, object, strings, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";

export interface FederationFacts {
  readonly federation: string;
  readonly fingerprint: string;
  readonly operators: Operators;
  readonly by: string;
}

export async function federationFacts(context: Context): Promise<FederationFacts> {
  const { data, by } = await ask(context, { path: "/v1/federation" });
  const fingerprint = text(data.fingerprint);
  const operators = object(data.operators);
  const threshold = number(operators.threshold);
  if (fingerprint === "" || threshold === null)
    throw new HansaError("HSA1011", `${by}: its answer names no fingerprint and operators`);
  return {
    federation: text(data.federation),
    fingerprint,
    operators: { keys: strings(operators.keys), threshold },
    by,
  };
}

export interface MemberFacts {
  readonly cluster: string;
  readonly incarnation: number;
  readonly state: string;
}

export async function memberFacts(context: Context): Promise<MemberFacts[]> {
  const { items } = await askList(context, { path: "/v1/clusters" });
  return list(items).map((item) => ({
    cluster: text(item.name),
    incarnation: number(item.incarnation) ?? 0,
    state: text(item.state),
  }));
}

/** Throws HSA1005 with the names that are there. */
export async function memberNamed(context: Context, cluster: string): Promise<MemberFacts> {
  const members = await memberFacts(context);
  const member = members.find((one) => one.cluster === cluster);
  if (member) return member;
  const names = members.map((one) => one.cluster).join(", ") || "none";
  throw new HansaError("HSA1005", `${cluster}: no such member; members: ${names}`);
}
