/** `hansa cluster list`: members, and the join tokens that nobody has used yet. */

import { isHansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { LISTINGS } from "../mesh/listings.ts";
import { stampOf } from "../mesh/stamp.ts";
import { answerOf, askList, list, number, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import { momentOption } from "../shell/moment.ts";
import { isoTime, say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";

export const action: Action = async (shell, _args, options) => {
  const context = shell.context();
  const at = momentOption("--at", options.at);
  const answer = await askList(context, { path: "/v1/clusters", at });
  const items = answer.items.map(LISTINGS.clusters.item);
  const tokens = at === undefined ? await waitingTokens(context) : [];
  return {
    kind: "MemberList",
    data: { ...stampOf(answer), items, tokens },
    text: () => {
      if (items.length === 0) say("no members");
      for (const { cluster, expiresAt } of tokens)
        say(`a join token for ${text(cluster)} waits until ${text(expiresAt)}`);
      const rows = items.map((item) => [
        text(item.cluster),
        text(item.state),
        number(item.incarnation),
        text(item.region),
        text(item.trustDomain),
        number(item.admittedMs) === null ? null : isoTime(number(item.admittedMs)!),
      ]);
      return table(["CLUSTER", "STATE", "INCARNATION", "REGION", "TRUST DOMAIN", "ADMITTED"], rows);
    },
  };
};

/** Tokens are the hub's alone, and shown to operators alone: without either the list is still worth having. */
async function waitingTokens(context: Context): Promise<readonly Readonly<Record<string, unknown>>[]> {
  try {
    const { data } = answerOf(await callApi(context.hub, { path: "/v1/tokens", timeoutMs: 3000 }), "hub");
    return list(data.items)
      .filter(
        (token) =>
          token.kind === "join" &&
          !token.usedAt &&
          !token.revokedAt &&
          Date.parse(text(token.expiresAt)) > Date.now(),
      )
      .map(({ id, cluster, expiresAt, grant }) => ({ id, cluster, expiresAt, grant }));
  } catch (error) {
    if (isHansaError(error)) return [];
    throw error;
  }
}
