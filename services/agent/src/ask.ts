/**
 * One call of this agent's admin API from beside it, for whoever may run programs in its container: `hansa-ask CALL [CONFIG]`, where
 * CALL is JSON as callApi takes it. So no token leaves the pod, and the cluster's own rights say who may ask.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HansaError, isHansaError } from "@hansa/core";
import { type ApiCall, callApi } from "@hansa/identity";
import { parse } from "yaml";
import type { AgentConfig } from "./config.ts";

const CONFIG = "/etc/hansa/agent.yaml";

/** Prints `{answer}` or `{error}`; answers the exit status, 0 for both. */
export async function ask([call = "", file = CONFIG]: readonly string[]): Promise<number> {
  const said = await outcome(call, file);
  process.stdout.write(`${JSON.stringify(said)}\n`);
  return 0;
}

async function outcome(text: string, file: string): Promise<object> {
  try {
    // Not looked through again: the agent has, and a command waits for this.
    const config = parse(read(file)) as Pick<AgentConfig, "admin" | "dataDir">;
    return { answer: await callApi(targetOf(config), JSON.parse(text) as ApiCall) };
  } catch (error) {
    if (!isHansaError(error)) throw error;
    const { code, message, details } = error;
    return { error: { code, message, details } };
  }
}

const targetOf = ({ admin, dataDir }: Pick<AgentConfig, "admin" | "dataDir">) => ({
  url: `https://localhost:${admin.port}`,
  caPem: read(join(dataDir, "admin-ca.pem")),
  token: read(join(dataDir, "keys", "admin.token")).trim(),
});

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new HansaError(
      "HSA1012",
      `${file}: the agent has not started here yet (${(cause as Error).message})`,
      {
        cause,
      },
    );
  }
}
