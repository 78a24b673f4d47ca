/** `hansa want SOURCE`: asks a source for a whole snapshot of its log (at most one per 30 s is sent). */
import { systemTimers } from "@hansa/core";
import { callApi, callLeader } from "@hansa/identity";
import { answerOf, isSilent } from "../shell/api.ts";
import { agentOf } from "../shell/context.ts";
import { clusterName } from "../shell/names.ts";
import { say } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { placeOfWrite, placeText } from "./positions.ts";

export const action: Action = async (shell, [source = ""]) => {
  const cluster = source === "hub" ? source : clusterName(source);
  const context = shell.context();
  const result = (by: string, data: Readonly<Record<string, unknown>>) => {
    const place = placeOfWrite(data);
    return {
      kind: "Want",
      data: { source: cluster, takenBy: by, position: place === null ? null : placeText(place) },
      text: () => `${by} asked ${cluster} for a snapshot${place === null ? "" : ` (${placeText(place)})`}`,
    };
  };
  try {
    const call = { method: "POST", path: "/v1/wants", body: { cluster } } as const;
    const answer = await callLeader(context.hub, call, systemTimers);
    return result("hub", answerOf(answer, "hub").data);
  } catch (error) {
    if (!isSilent(error)) throw error;
    say(`note: the hub does not answer (${error.code}); asking through an agent`);
    // Any agent but the source's own: a source reads wants in others' logs.
    for (const name of Object.keys(context.agents).filter((one) => one !== cluster)) {
      try {
        const answer = await callApi(agentOf(context, name), {
          method: "POST",
          path: "/v1/want",
          body: { source: cluster },
        });
        return result(`${name}'s agent`, answerOf(answer, name).data);
      } catch (other) {
        if (!isSilent(other)) throw other;
      }
    }
    throw error;
  }
};
