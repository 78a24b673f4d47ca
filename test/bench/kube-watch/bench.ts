/**
 * What it costs to follow an API server's EndpointSlices: CPU of the watching process per changed slice, and heap per endpoint, against
 * client-node's own informer on the same API server and the same changes, all at once; and what an agent's source costs that makes facts
 * of the same slices.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { apiVersionOf, type KubeClient, serviceExports } from "@hansa/kube";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import { kinds } from "../../../deploy/tools/kube/kinds.ts";
import { startKube } from "../../../deploy/tools/kube/kube.ts";
import { clientOf, ports } from "../../kube/support/client.ts";
import {
  changeSlice,
  createSlice,
  each,
  serviceBody,
  serviceNamed,
  sure,
} from "../../kube/support/slices.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { ms, until } from "../support/numbers.ts";
import type { Look, Order, WatcherKind } from "./talk.ts";

const ENDPOINTS = 100;
const FEW_ENDPOINTS = 3;
const FULL = { slices: 1000, changes: 600, turns: 6 };
const QUICK = { slices: 50, changes: 50, turns: 2 };
const FIRST_SYNC_MS = 10_000;
const HEAP_BYTES_MAX = 150;
const FACTS_TIMES_MAX = 5;
/** With its fact, which the log holds too. */
const FACT_BYTES_MAX = 1500;

class Watcher {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it has read everything. */
  static async synced(kind: WatcherKind, path: string): Promise<Watcher> {
    const program = fileURLToPath(new URL("./watcher.ts", import.meta.url));
    const child = fork(program, [kind, path], { execArgv: ["--expose-gc"] });
    const watcher = new Watcher(child);
    await watcher.#answer();
    await until(`${kind} reads everything`, async () => (await watcher.look()).syncedMs !== undefined);
    return watcher;
  }

  look(order: Order = "look"): Promise<Look> {
    const answer = this.#answer();
    this.#child.send(order);
    return answer as Promise<Look>;
  }

  end(): void {
    this.#child.disconnect();
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`a watcher ended with ${code}`));
      this.#child.once("exit", ended);
      this.#child.once("message", (told) => {
        this.#child.off("exit", ended);
        resolve(told);
      });
    });
  }
}

interface World {
  readonly hansa: Watcher;
  readonly agent: Watcher;
  readonly peer: Watcher;
  readonly change: (name: string, endpoints: number, generation: number) => Promise<void>;
}

export const bench: Bench = {
  name: "kube-watch",
  about:
    "an API server's EndpointSlices: CPU per change and heap per endpoint, against client-node's informer",
  async run(context) {
    const kube = await startKube({ clusters: ["eu"] });
    try {
      const client = clientOf(kube.cluster("eu"), ports(), { rights: undefined });
      const { slices } = context.quick ? QUICK : FULL;
      const [many, few] = [namesOf("many", slices), namesOf("few", slices)];
      await each(many, (name) => createSlice(client, name, ENDPOINTS));
      await each(few, (name) => createSlice(client, name, FEW_ENDPOINTS));
      await exported(kube.cluster("eu"), client, many);
      const hansa = await Watcher.synced("hansa", kube.kubeconfig);
      const agent = await Watcher.synced("agent", kube.kubeconfig);
      const peer = await Watcher.synced("client-node", kube.kubeconfig);
      const change = (name: string, endpoints: number, generation: number): Promise<void> =>
        changeSlice(client, name, endpoints, generation);
      const world: World = { hansa, agent, peer, change };
      const figures = [
        ...(await firstSync(world, slices)),
        ...(await heap(world, slices)),
        ...(await cpu(world, many, ENDPOINTS, context)),
        ...(await cpu(world, few, FEW_ENDPOINTS, context)),
      ];
      hansa.end();
      agent.end();
      peer.end();
      return figures;
    } finally {
      await kube.close();
    }
  },
};

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

/** A Service and its export for each slice. */
async function exported(cluster: KubeCluster, client: KubeClient, names: readonly string[]): Promise<void> {
  await cluster.apply(kinds());
  await cluster.kubectl.ok(["wait", "--for=condition=Established", "crd", "--all"]);
  const resource = serviceExports("v1beta1");
  await each(names, async (name) => {
    await sure(client, { method: "POST", target: serviceNamed(), body: serviceBody(name) });
    const body = { apiVersion: apiVersionOf(resource), kind: "ServiceExport", metadata: { name } };
    await sure(client, { method: "POST", target: { resource, namespace: "default" }, body });
  });
}

async function firstSync({ hansa, agent, peer }: World, slices: number): Promise<Figure[]> {
  const looks = await Promise.all([hansa, agent, peer].map((watcher) => watcher.look()));
  const [own, whole, theirs] = looks.map(({ syncedMs }) => syncedMs ?? NaN) as [number, number, number];
  const what = `${slices} EndpointSlices of ${ENDPOINTS} endpoints and ${slices} of ${FEW_ENDPOINTS}`;
  const common = {
    reach: `≤ ${FIRST_SYNC_MS / 1000} s`,
    peer: `client-node informer, slices alone ${ms(theirs)}`,
  };
  return [
    { ...common, figure: `first sync of ${what}`, measured: ms(own), kept: own <= FIRST_SYNC_MS },
    {
      ...common,
      figure: `the same with ${slices} exported Services, by an agent's source (${looks[1]?.facts} facts)`,
      measured: ms(whole),
      kept: whole <= FIRST_SYNC_MS,
    },
  ];
}

async function heap({ hansa, agent, peer }: World, slices: number): Promise<Figure[]> {
  const endpoints = slices * (ENDPOINTS + FEW_ENDPOINTS);
  const looks = await Promise.all([hansa, agent, peer].map((watcher) => watcher.look("weigh")));
  const [own, whole, theirs] = looks.map(({ heapBytes }) => heapBytes / endpoints) as [
    number,
    number,
    number,
  ];
  const common = { peer: `client-node informer ${theirs.toFixed(0)} B` };
  return [
    {
      ...common,
      figure: `heap per endpoint of a watched cluster (${endpoints} endpoints)`,
      reach: `≤ ${HEAP_BYTES_MAX} B`,
      measured: `${own.toFixed(0)} B, ${(theirs / own).toFixed(1)}× less`,
      kept: own <= HEAP_BYTES_MAX,
    },
    {
      ...common,
      figure: "the same in an agent's source, with the facts of all",
      reach: `≤ ${FACT_BYTES_MAX} B`,
      measured: `${whole.toFixed(0)} B`,
      kept: whole <= FACT_BYTES_MAX,
    },
  ];
}

/** Best of some turns: a neighbour on the machine makes a turn dearer, never cheaper. */
async function cpu(
  world: World,
  names: readonly string[],
  endpoints: number,
  { quick, log }: BenchContext,
): Promise<Figure[]> {
  const { changes, turns } = quick ? QUICK : FULL;
  const samples: [number, number, number][] = [];
  for (let turn = 0; turn < turns; turn += 1)
    samples.push(await cpuUsPerChange(world, names, endpoints, turn * changes, changes));
  const of = (index: 0 | 1 | 2): number[] => samples.map((sample) => sample[index]);
  const text = (index: 0 | 1 | 2): string =>
    of(index)
      .map((us) => us.toFixed(0))
      .join(" ");
  log(`  ${endpoints} endpoints, µs per change: ${text(0)}; agent ${text(1)}; client-node ${text(2)}`);
  const [best, whole, bestOfPeer] = [Math.min(...of(0)), Math.min(...of(1)), Math.min(...of(2))];
  const common = { peer: `client-node informer ${bestOfPeer.toFixed(0)} µs` };
  return [
    {
      ...common,
      reach: "below the peer's",
      figure: `CPU per changed EndpointSlice of ${endpoints} endpoints`,
      measured: `${best.toFixed(0)} µs, ${(bestOfPeer / best).toFixed(1)}× less`,
      kept: best < bestOfPeer,
    },
    {
      ...common,
      reach: `≤ ${FACTS_TIMES_MAX}× the peer's, which only reads`,
      figure: `the same in an agent's source${endpoints === ENDPOINTS ? ", with the facts of its Service" : ", of a Service that is not exported"}`,
      measured: `${whole.toFixed(0)} µs, ${(whole / bestOfPeer).toFixed(1)}×`,
      kept: whole <= FACTS_TIMES_MAX * bestOfPeer,
    },
  ];
}

async function cpuUsPerChange(
  { hansa, agent, peer, change }: World,
  names: readonly string[],
  endpoints: number,
  first: number,
  changes: number,
): Promise<[number, number, number]> {
  const watchers = [hansa, agent, peer] as const;
  const before = await Promise.all(watchers.map((watcher) => watcher.look()));
  const turns = Array.from({ length: changes }, (_, turn) => String(first + turn));
  await each(turns, (turn) =>
    change(names[Number(turn) % names.length]!, endpoints, 1 + Math.floor(Number(turn) / names.length)),
  );
  for (const [index, watcher] of watchers.entries())
    await until(
      "every change is seen",
      async () => (await watcher.look()).changes - before[index]!.changes >= changes,
    );
  const after = await Promise.all(watchers.map((watcher) => watcher.look()));
  return [0, 1, 2].map((index) => (after[index]!.cpuUs - before[index]!.cpuUs) / changes) as [
    number,
    number,
    number,
  ];
}
