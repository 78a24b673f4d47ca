/** Load on a sidecar's outbound listener: as fast as it goes, or at a rate. A request that fails is an answer too. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, call } from "./calls.ts";

export interface LoadOptions {
  readonly address: string;
  readonly host: string;
  readonly requests: number;
  readonly concurrency?: number;
  /** Requests per second; absent = as fast as `concurrency` allows. */
  readonly rate?: number;
  readonly method?: string;
  readonly path?: string;
  readonly during?: (sent: number) => void;
}

const failed = (error: unknown): Answer => ({ status: 0, headers: {}, body: String(error) });

export async function load(options: LoadOptions): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.concurrency ?? 64 });
  const one = (): Promise<Answer> =>
    call(options.address, 15_001, options.host, {
      agent,
      method: options.method ?? "GET",
      path: options.path ?? "/",
    }).catch(failed);
  const answers: Promise<Answer>[] = [];
  const startMs = performance.now();
  if (options.rate === undefined) {
    let left = options.requests;
    const worker = async (): Promise<void> => {
      for (; left > 0; ) {
        left -= 1;
        const answer = one();
        answers.push(answer);
        await answer;
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? 16 }, worker));
  } else {
    for (let sent = 0; sent < options.requests; sent += 1) {
      const dueMs = startMs + (1000 * sent) / options.rate;
      const waitMs = dueMs - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      options.during?.(sent);
      answers.push(one());
    }
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

export function count<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}
