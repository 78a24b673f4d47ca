/**
 * Whom the CLI talks to: the hub, the agents and their credentials, out of one file of mode 0600.
 * `hansa lab up` writes one for its checkout; others are named by --context or HANSA_CONTEXT.
 */
import { existsSync, readFileSync } from "node:fs";
import { HansaError, isHansaError } from "@hansa/core";
import { type ApiTarget, callApi } from "@hansa/identity";
import { labPaths } from "../../../../deploy/tools/lab-paths.ts";

export interface Context {
  readonly file: string;
  readonly federation: string;
  readonly hub: ApiTarget;
  readonly agents: Readonly<Record<string, ApiTarget>>;
  /** PKCS#8 PEM files of operator keys at hand (the lab's only operator; none in production). */
  readonly operatorKeys: readonly string[];
}

export function loadContext(named: string | undefined): Context {
  const file = named ?? process.env.HANSA_CONTEXT ?? labPaths().credentials;
  if (!existsSync(file))
    throw new HansaError(
      "HSA1012",
      `${file}: no such context file; start a lab (\`hansa lab up --detach\`), or name one with --context or HANSA_CONTEXT`,
    );
  try {
    return { ...(JSON.parse(readFileSync(file, "utf8")) as Omit<Context, "file">), file };
  } catch (cause) {
    throw new HansaError("HSA1004", `${file}: is not a context file (${(cause as Error).message})`, {
      cause,
    });
  }
}

export function agentOf(context: Context, cluster: string): ApiTarget {
  const agent = context.agents[cluster];
  if (agent) return agent;
  const known = Object.keys(context.agents).join(", ");
  throw new HansaError(
    "HSA1005",
    `${cluster}: the context knows no agent of this cluster; it knows ${known}`,
  );
}

/**
 * The hub's answer, or where the hub does not answer an agent's: any agent folds the same logs. The second value names
 * who answered. A refusal by the hub is final.
 */
export async function callHubOrAgent(
  context: Context,
  hubPath: string,
  agentPath: string,
): Promise<{ answer: unknown; by: string }> {
  try {
    return { answer: await callApi(context.hub, { path: hubPath, timeoutMs: 3000 }), by: "hub" };
  } catch (error) {
    if (!isHansaError(error) || error.code !== "HSA1012") throw error;
    for (const [cluster, agent] of Object.entries(context.agents)) {
      try {
        return {
          answer: await callApi(agent, { path: agentPath, timeoutMs: 3000 }),
          by: `${cluster}'s agent`,
        };
      } catch (other) {
        if (!isHansaError(other) || other.code !== "HSA1012") throw other;
      }
    }
    throw error;
  }
}
