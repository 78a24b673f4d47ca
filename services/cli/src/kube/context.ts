/** A context of Kubernetes as the CLI's own: its one agent, asked within its pod. Only a hub answers for the past. */
import { HansaError } from "@hansa/core";
import type { Context } from "../shell/context.ts";
import { openDoor } from "./door.ts";
import { agentTarget, mustBeInstalled } from "./installed.ts";

/** Throws HSA7004 and HSA7041. */
export async function kubeContext(name: string): Promise<Context> {
  const door = await openDoor(name);
  const { cluster } = await mustBeInstalled(door);
  const noHub = (): Promise<never> =>
    Promise.reject(
      new HansaError("HSA1012", `context ${name}: leads to ${cluster}'s agent alone, and this asks the hub`),
    );
  return {
    file: `Kubernetes context ${name}`,
    federation: "",
    hub: { url: "https://hub", caPem: "", token: "", via: noHub },
    agents: { [cluster]: agentTarget(door) },
    operatorKeys: [],
    kubernetes: door,
  };
}
