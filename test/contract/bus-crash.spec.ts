/**
 * A handler of the bus that throws has broken an invariant. The NATS client would end its subscription and go on: stale
 * for ever, in silence. The process must end instead. (Seen once with a fold that threw on heartbeats.)
 */
import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NatsWorld, retry } from "./log-bus.world.ts";

let world: NatsWorld;
let child: ChildProcess | undefined;
beforeAll(async () => {
  world = await NatsWorld.create();
});
afterAll(async () => {
  child?.kill("SIGKILL");
  await world?.close();
});

const listener = (server: string, creds: unknown, account: string) => `
  import { connectBus } from "@hansa/bus";
  import { silentLog, systemTimers } from "@hansa/core";
  import { nodeRandom } from "@hansa/identity";
  const bus = await connectBus({
    servers: ["${server}"], creds: ${JSON.stringify(creds)}, account: "${account}", name: "listener",
    log: silentLog, timers: systemTimers, random: nodeRandom,
  });
  await bus.beats(() => { throw new Error("a broken invariant"); });
  bus.connection((up) => up && process.stdout.write("up\\n"));
`;

test("a handler that throws ends the process, loudly", async () => {
  const listening = await world.admit();
  const speaker = await world.join();
  const started = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      "--input-type=module-typescript",
      "-e",
      listener(`127.0.0.1:${world.port}`, listening.creds, listening.account),
    ],
    { cwd: import.meta.dirname },
  );
  child = started;
  let [out, err] = ["", ""];
  started.stdout.on("data", (text) => {
    out += text;
  });
  started.stderr.on("data", (text) => {
    err += text;
  });
  const ended = new Promise<number | null>((resolve) => started.once("exit", resolve));
  await retry(async () => {
    if (!out.includes("up")) throw new Error(`not up: ${err}`);
  });
  await retry(() => speaker.publishBeat(new Uint8Array([1])));
  expect(await ended).not.toBe(0);
  expect(err).toContain("a broken invariant");
});
