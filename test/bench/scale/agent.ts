/**
 * The agent under test, in a process of its own: the product's Agent on a membership that the bench has made, and what
 * the bench asks of it. Started with --expose-gc.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connectBus } from "@hansa/bus";
import { systemClock, systemTimers } from "@hansa/core";
import { nodeRandom, openKeyStore } from "@hansa/identity";
import { createLog, createMetrics } from "@hansa/telemetry";
import { Agent } from "../../../services/agent/src/agent.ts";
import { parseConfig } from "../../../services/agent/src/config.ts";
import { clusterAuthority } from "../../../services/agent/src/identity/keys.ts";
import type { Membership } from "../../../services/agent/src/join.ts";
import { type Note, watchAgent } from "../propagation/probe.ts";

export interface Setup {
  readonly config: Record<string, unknown> & {
    readonly dataDir: string;
    readonly source: { readonly file: string };
  };
  readonly membership: Membership;
  readonly account: string;
  readonly userSeed: string;
  readonly signingKey: string;
  readonly source: object;
}

export type Ask = "memory" | "cpu";

export interface Memory {
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

export type FromAgent =
  | { readonly kind: "started" }
  | { readonly kind: "reached"; readonly notes: readonly Note[] }
  | { readonly kind: "memory"; readonly memory: Memory; readonly cpuMs: number };

const SEND_MS = 100;

const tell = (message: FromAgent): void => void process.send?.(message);

/** `collect`: what is garbage does not count, but collecting it takes the agent's time. */
function measure(collect: boolean): void {
  for (let round = 0; collect && round < 4; round++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  tell({ kind: "memory", memory: { heapUsed, external, rss }, cpuMs: (user + system) / 1000 });
}

async function start(setup: Setup): Promise<Agent> {
  const config = parseConfig(JSON.stringify(setup.config), "setup");
  const { file = "" } = config.source;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(setup.source));
  const store = openKeyStore(join(config.dataDir, "keys"));
  store.write("log-key.pem", setup.signingKey);
  const log = createLog({ component: "agent" });
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    log,
    metrics: createMetrics(),
  };
  const bus = await connectBus({
    servers: config.nats.servers,
    account: setup.account as Membership["membership"]["cluster"] as never,
    creds: { jwt: setup.membership.userJwt, seed: setup.userSeed },
    name: "agent under test",
    ...ports,
  });
  const authority = clusterAuthority(store, setup.membership.trustDomain, ports);
  const agent = new Agent({ config, ports, store, membership: setup.membership, authority, bus });
  await agent.start();
  return agent;
}

let notes: Note[] = [];
watchAgent((note) => {
  if (note.stage === "reached") notes.push(note);
});
setInterval(() => {
  if (notes.length > 0) tell({ kind: "reached", notes });
  notes = [];
}, SEND_MS).unref();

process.on("message", (message: Setup | Ask) => {
  if (message === "memory" || message === "cpu") return measure(message === "memory");
  start(message).then(
    () => tell({ kind: "started" }),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
