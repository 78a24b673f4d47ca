/** A second agent of a cluster, in a folder of its own: on another node, as far as anybody can tell. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiTarget, callApi } from "@hansa/identity";
import { parse, stringify } from "yaml";
import { type Child, startChild } from "../../../deploy/tools/child.ts";
import type { Name } from "../../contract/agent-rig.ts";
import type { McsRig } from "../mcs-rig.ts";
import type { AgentStatus } from "./sight.ts";

const MAIN = new URL("../../../services/agent/src/main.ts", import.meta.url).pathname;
/** The first has 2. */
const HOST = 3;

export interface Replica {
  readonly child: Child;
  status(): Promise<AgentStatus>;
  log(): string;
}

/** `has`: its own identity as a candidate and the cluster's keys, or all that the first one had on its disk when it is called. */
export async function startReplica(rig: McsRig, name: Name, has: "keys" | "disk"): Promise<Replica> {
  const { agents } = rig;
  const folder = join(agents.folder, `${name}-${has}`);
  const [from, dataDir] = [agents.dataDir(name), join(folder, "agent")];
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const shared = has === "keys" ? "keys" : ".";
  cpSync(join(from, shared), join(dataDir, shared), { recursive: true });
  const config = parse(readFileSync(join(agents.folder, name, "agent.yaml"), "utf8")) as Record<
    string,
    object
  >;
  const host = agents.address(name, HOST);
  const own = { dataDir, socketDir: join(folder, "s"), admin: { ...config.admin, host }, dns: undefined };
  writeFileSync(join(folder, "agent.yaml"), stringify({ ...config, ...own }), { mode: 0o600 });
  const target = (): ApiTarget => ({
    url: `https://${host}:15010`,
    caPem: readFileSync(join(dataDir, "admin-ca.pem"), "utf8"),
    token: agents.tokens.admin,
  });
  const log = join(agents.folder, `${name}-${has}.log`);
  const child = await startChild({
    argv: [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      MAIN,
      "--config",
      join(folder, "agent.yaml"),
    ],
    log,
    stopSignal: "SIGTERM",
    isReady: async () => {
      try {
        await callApi(target(), { path: "/readyz", timeoutMs: 2000 });
        return true;
      } catch {
        return false;
      }
    },
  });
  return {
    child,
    status: async () => ((await callApi(target(), { path: "/v1/status" })) as { data: AgentStatus }).data,
    log: () => readFileSync(log, "utf8"),
  };
}
