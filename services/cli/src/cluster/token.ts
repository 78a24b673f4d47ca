/** `hansa cluster token NAME`: a join token with everything that the cluster will be granted. stdout is the token alone. */
import { HansaError, systemTimers } from "@hansa/core";
import { callLeader } from "@hansa/identity";
import { answerOf, text } from "../shell/api.ts";
import { durationOption } from "../shell/moment.ts";
import { clusterName } from "../shell/names.ts";
import { say } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";

const TTL_MAX_MS = 7 * 86_400_000;

export const action: Action = async (shell, [name], options) => {
  const cluster = clusterName(name);
  const grant = grantOf(cluster, options);
  const ttlMs = durationOption("--ttl", options.ttl, 1000, TTL_MAX_MS);
  const body = { kind: "join", cluster, ttlSeconds: Math.ceil(ttlMs / 1000), uses: 1, grant };
  const call = { method: "POST", path: "/v1/tokens", body } as const;
  const answer = await callLeader(shell.context().hub, call, systemTimers);
  const { id, token, expiresAt } = answerOf(answer, "hub").data;
  say(`for ${cluster}, once, until ${text(expiresAt)}; on its machine:`);
  say("  hansa cluster join --token TOKEN --config agent.yaml");
  return {
    kind: "JoinToken",
    data: { cluster, id, token, expiresAt, grant },
    text: () => text(token),
  };
};

/** What the cluster asks for must lie within this. Throws HSA1001 where a flag is missing or malformed. */
export function grantOf(cluster: string, options: Readonly<Record<string, unknown>>) {
  const region = needed("--region", options.region);
  return {
    namespaces: words("--namespaces", options.namespaces, /^(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/),
    cidrs: words("--cidrs", needed("--cidrs", options.cidrs), /^[0-9a-fA-F.:]+\/\d{1,3}$/),
    region,
    zones: options.zones === undefined ? [region] : words("--zones", options.zones, /^[a-z0-9-]{1,63}$/),
    network: options.network === undefined ? cluster : String(options.network),
  };
}

export function needed(flag: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new HansaError("HSA1001", `${flag} is needed`);
  return value;
}

/** A comma-separated list whose words have this form. */
export function words(flag: string, value: unknown, form: RegExp): string[] {
  const list = String(value)
    .split(",")
    .map((word) => word.trim());
  const bad = list.find((word) => !form.test(word));
  if (bad !== undefined)
    throw new HansaError("HSA1001", `${flag} ${String(value)}: "${bad}" is not of the right form`);
  return list;
}
