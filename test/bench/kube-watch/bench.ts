/**
 * What it costs to follow an API server's EndpointSlices: CPU of the watching process per changed slice, and heap per endpoint, against
 * client-node's own informer on the same API server and the same changes, both at once.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startKube } from "../../../deploy/tools/kube/kube.ts";
import { clientOf, ports } from "../../kube/support/client.ts";
import { changeSlice, createSlice, each } from "../../kube/support/slices.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { until } from "../support/numbers.ts";
import type { Look, Order, WatcherKind } from "./talk.ts";

const ENDPOINTS = 100;
const FEW_ENDPOINTS = 3;
const FULL = { slices: 1000, changes: 3000 };
const QUICK = { slices: 50, changes: 100 };
const HEAP_BYTES_MAX = 150;

class Watcher {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(kind: WatcherKind, path: string): Promise<Watcher> {
    const program = fileURLToPath(new URL("./watcher.ts", import.meta.url));
    const child = fork(program, [kind, path], { execArgv: ["--expose-gc"] });
    const watcher = new Watcher(child);
    await watcher.#answer();
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
      const hansa = await Watcher.start("hansa", kube.kubeconfig);
      const peer = await Watcher.start("client-node", kube.kubeconfig);
      for (const watcher of [hansa, peer])
        await until("a watcher reads everything", async () => (await watcher.look()).isSynced);
      const change = (name: string, endpoints: number, generation: number): Promise<void> =>
        changeSlice(client, name, endpoints, generation);
      const figures = [
        await heap({ hansa, peer, change }, slices * (ENDPOINTS + FEW_ENDPOINTS)),
        await cpu({ hansa, peer, change }, many, ENDPOINTS, context),
        await cpu({ hansa, peer, change }, few, FEW_ENDPOINTS, context),
      ];
      hansa.end();
      peer.end();
      return figures;
    } finally {
      await kube.close();
    }
  },
};

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

async function heap({ hansa, peer }: World, endpoints: number): Promise<Figure> {
  const [own, theirs] = (await Promise.all([hansa.look("weigh"), peer.look("weigh")])).map(
    ({ heapBytes }) => heapBytes / endpoints,
  ) as [number, number];
  return {
    figure: `heap per endpoint of a watched cluster (${endpoints} endpoints)`,
    reach: `≤ ${HEAP_BYTES_MAX} B`,
    measured: `${own.toFixed(0)} B, ${(theirs / own).toFixed(1)}× less`,
    peer: `client-node informer ${theirs.toFixed(0)} B`,
    kept: own <= HEAP_BYTES_MAX,
  };
}

async function cpu(
  { hansa, peer, change }: World,
  names: readonly string[],
  endpoints: number,
  { quick, log }: BenchContext,
): Promise<Figure> {
  const { changes } = quick ? QUICK : FULL;
  const before = await Promise.all([hansa.look(), peer.look()]);
  const turns = Array.from({ length: changes }, (_, turn) => String(turn));
  await each(turns, (turn) =>
    change(names[Number(turn) % names.length]!, endpoints, 1 + Math.floor(Number(turn) / names.length)),
  );
  const seen = async (watcher: Watcher, from: Look): Promise<boolean> =>
    (await watcher.look()).changes - from.changes >= changes;
  await until("both see every change", async () => {
    const both = await Promise.all([seen(hansa, before[0]), seen(peer, before[1])]);
    return both.every((all) => all);
  });
  const after = await Promise.all([hansa.look(), peer.look()]);
  const [own, theirs] = [0, 1].map((index) => (after[index]!.cpuUs - before[index]!.cpuUs) / changes) as [
    number,
    number,
  ];
  log(`  ${endpoints} endpoints: ${own.toFixed(0)} and ${theirs.toFixed(0)} µs per change`);
  return {
    figure: `CPU per changed EndpointSlice of ${endpoints} endpoints`,
    reach: "below the peer's",
    measured: `${own.toFixed(0)} µs, ${(theirs / own).toFixed(1)}× less`,
    peer: `client-node informer ${theirs.toFixed(0)} µs`,
    kept: own < theirs,
  };
}
