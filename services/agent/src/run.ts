/** One agent, from its command line to its end. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { HansaError, isHansaError, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { createLog, createMetrics, startTracing } from "@hansa/telemetry";
import { type AgentConfig, parseConfig } from "./config.ts";
import { createAgent } from "./create-agent.ts";
import { giveBack } from "./give-back.ts";

const USAGE = "usage: main.ts --config FILE";

function configFile(): string {
  try {
    const { values } = parseArgs({ options: { config: { type: "string" } } });
    if (values.config !== undefined) return values.config;
  } catch (error) {
    throw new HansaError("HSA1001", `${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
  throw new HansaError("HSA1001", `--config is missing\n${USAGE}`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new HansaError("HSA1004", `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `hansa cluster join` hands the token over by the environment: it stands in no file and in no list of processes. */
const tokenOf = (config: AgentConfig): string | undefined =>
  process.env.HANSA_JOIN_TOKEN ??
  config.joinToken ??
  (config.joinTokenFile === undefined ? undefined : readText(config.joinTokenFile).trim());

async function main(): Promise<void> {
  const file = configFile();
  const config = parseConfig(readText(file), file);
  const log = createLog({ component: "agent", level: config.logLevel }).with({ cluster: config.cluster });
  const tracing = await startTracing(`hansa-agent-${config.cluster}`, process.env);
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    log,
    metrics: createMetrics(),
    tracer: tracing?.tracer,
  };
  const agent = await createAgent(config, ports, tokenOf(config));
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info("agent: stopping", { signal });
    const stopped = agent.stop().finally(() => tracing?.stop());
    stopped.then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("agent: stop failed", { reason: String(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  await agent.start();
  giveBack(systemTimers);
}

main().catch((error: unknown) => {
  const shown = isHansaError(error) ? error.toString() : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`agent: ${shown}\n`);
  process.exit(isHansaError(error) ? error.exitStatus : 1);
});
