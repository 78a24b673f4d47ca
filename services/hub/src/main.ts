/** Entry of the hub: `main.ts init …` makes a federation, `main.ts --config FILE` serves it. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HansaError, isHansaError, systemClock, systemTimers } from "@hansa/core";

const MIGRATIONS = new URL("../../../migrations", import.meta.url);

const USAGE = `usage: main.ts --config FILE
       main.ts migrate --config FILE | --postgres URL   (or HANSA_POSTGRES_URL)
       main.ts init --dir DIR --federation NAME --operators KEY[,KEY…] [--threshold K] [--lab]
                    [--api-hosts NAME[,NAME…]] [--api-listen ADDRESS] [--api-port PORT]
                    [--nats URL] [--nats-listen HOST:PORT] [--nats-data DIR] [--postgres URL]`;

const options = {
  config: { type: "string" },
  dir: { type: "string" },
  federation: { type: "string" },
  operators: { type: "string" },
  threshold: { type: "string" },
  lab: { type: "boolean", default: false },
  "api-hosts": { type: "string", default: "127.0.0.1,localhost" },
  "api-port": { type: "string", default: "8443" },
  "api-listen": { type: "string" },
  nats: { type: "string", default: "nats://127.0.0.1:4222" },
  "nats-listen": { type: "string" },
  "nats-data": { type: "string" },
  postgres: { type: "string" },
} as const;

function usage(message: string): HansaError {
  return new HansaError("HSA1001", `${message}\n${USAGE}`);
}

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  const [command, ...rest] = positionals;
  if (rest.length > 0 || (command !== undefined && command !== "init" && command !== "migrate"))
    throw usage(`unknown command: ${positionals.join(" ")}`);
  if (command === "init") return runInit(values);
  if (command === "migrate") return runMigrate(values);
  if (values.config === undefined) throw usage("--config is missing");
  await serve(values.config);
}

async function runInit(values: ReturnType<typeof readArguments>["values"]): Promise<void> {
  if (!values.dir || !values.federation || !values.operators)
    throw usage("init needs --dir, --federation and --operators");
  const { init } = await import("./init.ts");
  const operators = values.operators.split(",");
  const apiHosts = values["api-hosts"].split(",");
  const dir = resolve(values.dir);
  const result = await init({
    dir,
    federation: values.federation,
    operators,
    threshold: Number(values.threshold ?? Math.floor(operators.length / 2) + 1),
    lab: values.lab,
    apiHosts,
    apiListen: values["api-listen"] ?? apiHosts[0] ?? "",
    apiPort: Number(values["api-port"]),
    nats: values.nats,
    natsListen: values["nats-listen"] ?? hostPort(values.nats),
    natsData: resolve(values["nats-data"] ?? join(dir, "nats")),
    postgres: values.postgres ?? "postgres://hansa@127.0.0.1:5432/hansa",
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function hostPort(url: string): string {
  if (!URL.canParse(url))
    throw new HansaError("HSA1004", `--nats ${url}: not a URL such as nats://host:4222`);
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || "4222"}`;
}

async function runMigrate({ config, postgres }: ReturnType<typeof readArguments>["values"]): Promise<void> {
  const given = process.env.HANSA_POSTGRES_URL ?? postgres;
  if (given === undefined && config === undefined)
    throw usage("migrate needs --config, --postgres or HANSA_POSTGRES_URL");
  const { openStore } = await import("@hansa/store");
  const { readConfig } = await import("./config.ts");
  const store = openStore({ url: given ?? readConfig(config ?? "").postgres.url });
  try {
    const applied = await store.migrate(fileURLToPath(MIGRATIONS));
    process.stdout.write(`${JSON.stringify({ applied })}\n`);
  } finally {
    await store.close();
  }
}

async function serve(file: string): Promise<void> {
  // Loaded here: usage errors and init answer at once.
  const { readConfig } = await import("./config.ts");
  const config = readConfig(file, process.env);
  const { nodeCrypto, nodeRandom } = await import("@hansa/identity");
  const { createLog, createMetrics, startTracing } = await import("@hansa/telemetry");
  const { startHub } = await import("./hub.ts");
  const { HUB_METRICS } = await import("./metrics.ts");
  const log = createLog({ component: "hub", level: config.log.level });
  const metrics = createMetrics(HUB_METRICS);
  const tracing = await startTracing("hansa-hub", process.env);
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    crypto: nodeCrypto,
    log,
    metrics,
    tracer: tracing?.tracer,
  };
  const hub = await startHub(config, ports);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { signal });
    const closed = hub.close().finally(() => tracing?.stop());
    closed.then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("stop failed", { reason: String(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  await hub.ended;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `hub: ${isHansaError(error) ? error.toString() : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(isHansaError(error) ? error.exitStatus : 1);
});
