/** Two agents of one cluster: on a copy of the data folder (the fence decides), and in the same folder (the lock does). */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LANES } from "@hansa/events";
import { type ApiTarget, callApi } from "@hansa/identity";
import { stringify } from "yaml";
import { type Child, startChild } from "../../../deploy/tools/child.ts";
import { root } from "../../../deploy/tools/paths.mjs";
import { CLUSTERS, type Cluster, copyFolder } from "../rig.ts";
import { type Fault, type FaultRun, moment, pick, sleep } from "./fault.ts";

const MAIN = join(root, "services/agent/src/main.ts");
const DECIDED_WITHIN_MS = 15_000;
const POLL_MS = 50;
const CHANGE_EVERY_MS = 500;

interface Rival extends Child {
  readonly target: ApiTarget;
}

/** Same configuration but for its API's port, its sockets and, where given, its data folder. */
async function startRival({ rig }: FaultRun, cluster: Cluster, dataDir?: string): Promise<Rival> {
  const config = rig.agentConfig(cluster);
  const port = config.admin.port + 1;
  const file = rig.folder(`rival-${cluster}.yaml`);
  const own = { socketDir: `${config.socketDir}-2`, dataDir: dataDir ?? config.dataDir };
  writeFileSync(file, stringify({ ...config, ...own, admin: { ...config.admin, port } }), { mode: 0o600 });
  const known = rig.context().agents[cluster];
  if (known === undefined) throw new Error(`${cluster}: not in the context`);
  const target = { ...known, url: `https://${config.admin.host}:${port}` };
  const child = await startChild({
    argv: [process.execPath, "--disable-warning=ExperimentalWarning", MAIN, "--config", file],
    log: rig.folder("logs", `rival-${cluster}.log`),
    stopSignal: "SIGTERM",
    isReady: () =>
      callApi(target, { path: "/readyz", timeoutMs: 1000 }).then(
        () => true,
        () => false,
      ),
  });
  return { ...child, target };
}

interface Writer {
  readonly elected: boolean;
  readonly lanes: readonly { readonly lane: string; readonly mode: string }[];
}

async function writerOf(target: ApiTarget): Promise<Writer> {
  const answer = (await callApi(target, { path: "/v1/status", timeoutMs: 3000 })) as {
    data: { writer: Writer };
  };
  return answer.data.writer;
}

const holds = ({ elected, lanes }: Writer, name: string): boolean =>
  elected && lanes.some(({ lane, mode }) => lane === name && mode === "open");
const writes = (writer: Writer): boolean => LANES.every((lane) => holds(writer, lane));

async function until(what: string, satisfied: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DECIDED_WITHIN_MS;
  while (!(await satisfied())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${DECIDED_WITHIN_MS} ms`);
    await sleep(POLL_MS);
  }
}

const onCopy: Fault = {
  kind: "two agents on a copied folder",
  hitsCalls: false,
  like: "duplicate agent of one cluster (§13.3)",
  run: async (run) => {
    const { rig } = run;
    const cluster = pick(run, CLUSTERS);
    run.note(`a second agent of ${cluster} on a copy of its folder`);
    const { dataDir } = rig.agentConfig(cluster);
    const copy = rig.folder(`rival-${cluster}`);
    await rig.kill(`${cluster}/agent`);
    copyFolder(dataDir, copy);
    await rig.act("start", `${cluster}/agent`);
    const rival = await startRival(run, cluster, copy);
    try {
      const known = rig.context().agents[cluster];
      await until(`each lane of ${cluster} has one writer`, async () => {
        // A rival shows when both have something to write.
        await run.change({ cluster, agentLives: false });
        await sleep(CHANGE_EVERY_MS);
        const both = await Promise.all([rival.target, known as ApiTarget].map(writerOf));
        return LANES.every((lane) => both.filter((writer) => holds(writer, lane)).length === 1);
      });
      await run.change({ cluster });
    } finally {
      await rival.kill();
    }
    rmSync(copy, { recursive: true, force: true });
  },
};

const inSameFolder: Fault = {
  kind: "two agents in one folder",
  hitsCalls: false,
  like: "duplicate agent of one cluster (§13.3): the lock elects one, its death the other",
  run: async (run) => {
    const { rig } = run;
    const cluster = pick(run, CLUSTERS);
    run.note(`a second agent of ${cluster} in its folder, then kill -9 the first`);
    const rival = await startRival(run, cluster);
    try {
      if ((await writerOf(rival.target)).elected) throw new Error(`two agents of ${cluster} are elected`);
      await run.change({ cluster });
      await rig.kill(`${cluster}/agent`);
      await until(`${cluster}'s second agent takes over`, async () => writes(await writerOf(rival.target)));
      await run.change({ cluster, agentLives: false });
      await moment(run, 0, 300);
      await rig.act("start", `${cluster}/agent`);
    } finally {
      await rival.kill();
    }
  },
};

export const rivalFaults: readonly Fault[] = [onCopy, inSameFolder];
