/** Every agent of the context asked at once; silence is an answer too. */
import { isHansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { answerOf, list, object, READ_TIMEOUT_MS, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";

export type AgentAnswer =
  | { readonly kind: "answers"; readonly data: Record<string, unknown> }
  | { readonly kind: "fails"; readonly code: string; readonly message: string };

export async function askAgents(context: Context, path: string): Promise<ReadonlyMap<string, AgentAnswer>> {
  const answers = await Promise.all(
    Object.entries(context.agents).map(async ([cluster, agent]): Promise<[string, AgentAnswer]> => {
      try {
        const { data } = answerOf(await callApi(agent, { path, timeoutMs: READ_TIMEOUT_MS }), cluster);
        return [cluster, { kind: "answers", data }];
      } catch (error) {
        if (!isHansaError(error)) throw error;
        return [cluster, { kind: "fails", code: error.code, message: error.message }];
      }
    }),
  );
  return new Map(answers);
}

/** `writing`, `standby` (another replica was elected), `fenced` or `starting`. */
export function writerOf(status: Readonly<Record<string, unknown>>): string {
  const { elected, synced, lanes } = object(status.writer);
  if (list(lanes).some(({ mode }) => text(mode) === "fenced")) return "fenced";
  if (elected !== true) return "standby";
  return synced === true ? "writing" : "starting";
}
