/** `hansa proxy diff CLUSTER/PROXY`: does its Envoy have what the agent offers? Exit status 79 where it does not. */
import { CODES } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { answerOf, list, number, text } from "../shell/api.ts";
import { agentOf } from "../shell/context.ts";
import { table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { oneProxy } from "./proxy-status.ts";

export const action: Action = async (shell, [which = ""]) => {
  const { cluster, proxy } = oneProxy(which);
  const answer = await callApi(agentOf(shell.context(), cluster), {
    path: `/v1/proxies/${encodeURIComponent(proxy)}/difference`,
  });
  const { data } = answerOf(answer, cluster);
  const compared = number(data.compared) ?? 0;
  const differences = list(data.differences).map((each) => ({
    type: text(each.type),
    name: text(each.name),
    state: text(each.state),
    agent: each.agent === null ? null : text(each.agent),
    envoy: each.envoy === null ? null : text(each.envoy),
    reason: each.reason === null ? null : text(each.reason),
  }));
  return {
    kind: "ProxyDifference",
    data: { cluster, proxy, compared, differences },
    text: () =>
      differences.length === 0
        ? `${which}: its Envoy has all of what it is offered (${compared} resources)`
        : table(
            ["TYPE", "NAME", "STATE", "AGENT", "ENVOY", "REASON"],
            differences.map(({ type, name, state, agent, envoy, reason }) => [
              type,
              name,
              state,
              agent,
              envoy,
              reason,
            ]),
          ),
    status: differences.length === 0 ? 0 : CODES.HSA1010.exit,
  };
};
