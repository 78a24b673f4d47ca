/** Starts the pinned nats-server for tests and the lab. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, firstBytes, freePort, startChild } from "./child.ts";
import { natsServerBinary } from "./paths.mjs";

export interface NatsOptions {
  /** Folder for nats.conf and nats.log; made where missing. JetStream's `store_dir` is the configuration's business. */
  readonly dir: string;
  /** Text of the configuration, without `listen`, `host` and `port`. */
  readonly config: string;
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export interface Nats extends Child {
  readonly url: string;
  readonly port: number;
}

/** Resolves when the server greets clients. Throws with the end of its log otherwise. */
export async function startNats({ dir, config, host = "127.0.0.1", port }: NatsOptions): Promise<Nats> {
  const listening = port ?? (await freePort(host));
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "nats.conf");
  writeFileSync(file, config, { mode: 0o600 });
  const child = await startChild({
    argv: [natsServerBinary(), "--config", file, "--addr", host, "--port", String(listening)],
    log: join(dir, "nats.log"),
    stopSignal: "SIGTERM",
    isReady: async () => (await firstBytes(host, listening)).startsWith("INFO "),
  });
  return { ...child, url: `nats://${host}:${listening}`, port: listening };
}
