/** Sends a signed command: to the hub, or where it is silent to any agent, whose log carries it just as well. */
import { HansaError, systemTimers } from "@hansa/core";
import type { CommandValue } from "@hansa/events";
import { callApi, callLeader } from "@hansa/identity";
import { federationFacts } from "../mesh/federation.ts";
import { answerOf, isSilent } from "../shell/api.ts";
import { agentOf, type Context } from "../shell/context.ts";
import { say } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { readCommand } from "./command-file.ts";
import { orderInWords } from "./orders.ts";
import { mustBeSigned } from "./sign.ts";

export interface Sent {
  /** `hub`, or `<cluster>'s agent`. */
  readonly by: string;
  /** What the receiver says of it, with the position of its event where it knows it. */
  readonly data: Readonly<Record<string, unknown>>;
}

const SEND_TIMEOUT_MS = 10_000;

/** `via` names the cluster whose agent carries it. Throws HSA1012 where nobody takes it. */
export async function sendCommand(
  context: Context,
  value: CommandValue,
  via: string | undefined,
): Promise<Sent> {
  const call = { method: "POST", path: "/v1/commands", body: value, timeoutMs: SEND_TIMEOUT_MS } as const;
  const toAgent = async (cluster: string): Promise<Sent> => {
    const by = `${cluster}'s agent`;
    return { by, data: answerOf(await callApi(agentOf(context, cluster), call), by).data };
  };
  if (via !== undefined) return await toAgent(via);
  const silent: string[] = [];
  try {
    return { by: "hub", data: answerOf(await callLeader(context.hub, call, systemTimers), "hub").data };
  } catch (error) {
    if (!isSilent(error)) throw error;
    silent.push(error.message);
    say(`note: the hub does not answer (${error.code}); asking the agents`);
  }
  for (const cluster of Object.keys(context.agents)) {
    try {
      return await toAgent(cluster);
    } catch (error) {
      if (!isSilent(error)) throw error;
      silent.push(error.message);
    }
  }
  throw new HansaError("HSA1012", `nobody took the command: ${silent.join("; ")}`);
}

/** `hansa operator send FILE`. */
export const action: Action = async (shell, [file = ""], options) => {
  const value = readCommand(file);
  const context = shell.context();
  const { payload, hash } = mustBeSigned(value, await federationFacts(context));
  const via = options.via === undefined ? undefined : String(options.via);
  const { by, data } = await sendCommand(context, value, via);
  const order = orderInWords(payload.order);
  return {
    kind: "CommandSent",
    data: { id: payload.id, hash, order: payload.order, takenBy: by, ...data },
    text: () => `${order}: taken by ${by} (command ${payload.id})`,
  };
};
