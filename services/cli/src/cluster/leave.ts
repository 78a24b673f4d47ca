/** `hansa cluster leave NAME`: drains it, then the hub ends its membership. Its name stays pinned to its key. */
import { systemTimers } from "@hansa/core";
import { callApi, callLeader } from "@hansa/identity";
import { memberNamed } from "../mesh/federation.ts";
import { placeOfWrite, placeText } from "../mesh/positions.ts";
import { answerOf } from "../shell/api.ts";
import { durationOption } from "../shell/moment.ts";
import { clusterName } from "../shell/names.ts";
import { say } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { waitForEffect } from "./effect.ts";
import { tellLosses } from "./losses.ts";
import { carryOut, failOnStragglers, importersBut } from "./order.ts";

const TIMEOUT_MAX_MS = 3_600_000;

export const action: Action = async (shell, [name], options) => {
  const cluster = clusterName(name);
  const timeoutMs = durationOption("--timeout", options.timeout, 1, TIMEOUT_MAX_MS);
  const context = shell.context();
  const { state } = await memberNamed(context, cluster);
  // Only the hub ends a membership: better known before anything is drained.
  await callApi(context.hub, { path: "/v1/federation" });
  const drain = options.drain !== false && state === "active";
  if (drain) {
    const { elapsedMs } = await carryOut(shell, "drain", cluster, options, timeoutMs);
    say(`${cluster} is drained (${elapsedMs} ms)`);
  } else await tellLosses(context, cluster);
  const importers = await importersBut(context, cluster);
  const call = { method: "POST", path: `/v1/clusters/${cluster}/leave`, body: {} } as const;
  const { data } = answerOf(await callLeader(context.hub, call, systemTimers), "hub");
  const place = placeOfWrite(data);
  const effect = await waitForEffect(context, {
    cluster,
    states: ["left", "evicted"],
    importers,
    place,
    timeoutMs,
  });
  failOnStragglers(`${cluster} has left`, effect);
  return {
    kind: "ClusterOrder",
    data: {
      order: "leave",
      cluster,
      drained: drain,
      ...effect,
      takenBy: "hub",
      position: place === null ? null : placeText(place),
    },
    text: () => `${cluster} has left; its name stays pinned to its key (${effect.elapsedMs} ms)`,
  };
};
