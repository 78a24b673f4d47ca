/** One Kubernetes cluster by a context of the user's kubeconfig. No credential of it goes anywhere but to its API server. */
import { type HansaError, noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import {
  Access,
  type ExecTarget,
  type Executed,
  execInPod,
  KubeClient,
  type KubeObject,
  type KubeRequest,
  kubeconfig,
  type Problem,
  problemError,
  type ServerInfo,
  serverInfo,
  type Target,
} from "@hansa/kube";

const PORTS = {
  clock: systemClock,
  timers: systemTimers,
  random: nodeRandom,
  log: silentLog,
  metrics: noMetrics,
};

export interface KubeDoor {
  /** As the user named it. */
  readonly context: string;
  /** Throws with the code of the problem. */
  readonly send: (request: KubeRequest) => Promise<KubeObject>;
  /** Undefined where it is not there. */
  readonly read: (target: Target) => Promise<KubeObject | undefined>;
  readonly server: () => Promise<ServerInfo>;
  readonly exec: (target: ExecTarget, command: readonly string[], timeoutMs: number) => Promise<Executed>;
  readonly close: () => void;
}

/** Throws HSA7004. */
export async function openDoor(context: string): Promise<KubeDoor> {
  const access = new Access(await kubeconfig({ context }), PORTS);
  const client = new KubeClient({ access, ports: PORTS });
  const tell = (problem: Problem): HansaError => problemError(problem, `context ${context}`);
  return {
    context,
    async send(request) {
      const answer = await client.send(request);
      if (!answer.ok) throw tell(answer.problem);
      return answer.body as KubeObject;
    },
    async read(target) {
      const answer = await client.send({ method: "GET", target });
      if (answer.ok) return answer.body as KubeObject;
      if (answer.problem.kind === "absent") return undefined;
      throw tell(answer.problem);
    },
    server: () => serverInfo(access, PORTS),
    exec: (target, command, timeoutMs) =>
      execInPod({ context }, target, command, { timers: systemTimers, timeoutMs }),
    close: () => access.close(),
  };
}
