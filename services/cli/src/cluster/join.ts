/**
 * `hansa cluster join`: starts agent and gateway on this machine and reports success only when calls' way has been
 * measured in both directions: our probe of a peer's gateway, and a peer's probe of ours.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isHansaError } from "@hansa/core";
import { type ApiTarget, callApi } from "@hansa/identity";
import { envoyBinary } from "../../../../deploy/tools/paths.mjs";
import { evidenceItem } from "../mesh/evidence.ts";
import { LISTINGS, rtt } from "../mesh/listings.ts";
import { answerOf, isSilent, list, object, text } from "../shell/api.ts";
import { durationOption } from "../shell/moment.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { ensureConfig, type JoinConfig, readJoinConfig, readTicket } from "./join-config.ts";
import { endedError, type Started, startAgent, startGateway } from "./join-processes.ts";
import { type RoundTrip, roundTrips } from "./round-trip.ts";

/** In Kubernetes every look is a program in the agent's pod. */
const POLL_MS = 500;
const TIMEOUT_MAX_MS = 3_600_000;

export const action: Action = async (_shell, _args, options) => {
  const token = String(options.token ?? process.env.HANSA_JOIN_TOKEN ?? "").trim();
  if (token === "")
    throw new HansaError(
      "HSA1001",
      "--token is needed; `hansa cluster token NAME` makes one where the hub is",
    );
  const timeoutMs = durationOption("--timeout", options.timeout, 1000, TIMEOUT_MAX_MS);
  const deadline = performance.now() + timeoutMs;
  const ticket = readTicket(token);
  const envoy = binaryOfEnvoy();
  const file = String(options.config);
  if (ensureConfig(file, ticket, options))
    say(`wrote ${file}; look through it before the machine serves anything real`);
  const config = readJoinConfig(file, ticket);
  await mustNotRun(config);
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });

  const running: Started[] = [];
  let joined = false;
  try {
    say(`starting ${config.cluster}'s agent; it joins by ${ticket.hub[0]}`);
    const agent = startAgent(file, config.dataDir, token);
    running.push(agent);
    const target = await agentReady(config, agent, deadline);
    joined = true;
    say("joined; starting the gateway");
    const bootstrap = await writeBootstrap(target, config);
    const gateway = startGateway(envoy, bootstrap, config.dataDir);
    running.push(gateway);
    const trips = await verified(target, config, running, deadline);
    return report(config, running, trips);
  } catch (error) {
    for (const one of running) one.stop();
    if (joined && isHansaError(error))
      throw new HansaError(
        error.code,
        `${error.message}; ${config.cluster} is a member, but agent and gateway are stopped: mend this and start again, no new token is needed`,
        { cause: error },
      );
    throw error;
  }
};

function binaryOfEnvoy(): string {
  try {
    return envoyBinary();
  } catch (cause) {
    throw new HansaError("HSA6001", (cause as Error).message, { cause });
  }
}

const targetOf = ({ dataDir, adminUrl }: JoinConfig): ApiTarget | undefined => {
  const ca = join(dataDir, "admin-ca.pem");
  const secret = join(dataDir, "keys", "admin.token");
  if (!existsSync(ca)) return undefined;
  const token = process.env.HANSA_TOKEN ?? (existsSync(secret) ? readFileSync(secret, "utf8").trim() : "");
  return { url: adminUrl, caPem: readFileSync(ca, "utf8"), token };
};

async function mustNotRun(config: JoinConfig): Promise<void> {
  const target = targetOf(config);
  if (target === undefined) return;
  const runs = await callApi(target, { path: "/livez", timeoutMs: 2000 }).then(
    () => true,
    () => false,
  );
  if (runs)
    throw new HansaError("HSA1004", `${config.adminUrl}: an agent with this configuration runs already`);
}

/** Until the agent has joined and its own membership has come back through the log. */
async function agentReady(config: JoinConfig, agent: Started, deadline: number): Promise<ApiTarget> {
  for (;;) {
    if (agent.hasEnded()) throw endedError(agent);
    const target = targetOf(config);
    const ready =
      target !== undefined &&
      (await callApi(target, { path: "/readyz", timeoutMs: 2000 }).then(
        () => true,
        () => false,
      ));
    if (ready) return target;
    if (performance.now() > deadline)
      throw new HansaError("HSA1009", `${config.cluster}'s agent is not ready; its log is ${agent.log}`);
    await sleep(POLL_MS);
  }
}

async function writeBootstrap(target: ApiTarget, config: JoinConfig): Promise<string> {
  const id = encodeURIComponent(`gateway/${config.gateway}`);
  const bootstrap = await callApi(target, { path: `/v1/proxies/${id}/bootstrap` });
  const path = join(config.dataDir, "gateway-bootstrap.json");
  writeFileSync(path, JSON.stringify(bootstrap, null, 2), { mode: 0o600 });
  return path;
}

/** One verified peer is enough where others are down themselves; those that fail are told. */
export async function verified(
  target: ApiTarget,
  config: Pick<JoinConfig, "cluster" | "gateway">,
  running: readonly Started[],
  deadline: number,
): Promise<RoundTrip[]> {
  let told = "";
  for (;;) {
    const ended = running.find((one) => one.hasEnded());
    if (ended) throw endedError(ended);
    const trips = await measure(target, config.cluster);
    const missing = trips.filter((trip) => trip.missing !== "");
    if (trips.length === 0) {
      if (await gatewayServes(target, config.gateway)) return trips;
    } else if (missing.length === 0) return trips;
    const now = missing.map((trip) => trip.missing).join("; ") || "the gateway to take its configuration";
    if (performance.now() > deadline) {
      if (trips.some((trip) => trip.missing === "")) return trips;
      throw new HansaError("HSA1009", `no round trip through the data plane: ${now}`);
    }
    if (now !== told) say(`waiting: ${now}`);
    told = now;
    await sleep(POLL_MS);
  }
}

async function measure(target: ApiTarget, cluster: string): Promise<RoundTrip[]> {
  const read = async (path: string) => list(answerOf(await callApi(target, { path }), cluster).data.items);
  try {
    const [members, links] = await Promise.all([
      read("/v1/clusters?limit=1000"),
      read("/v1/links?limit=1000"),
    ]);
    const peers = members
      .map(LISTINGS.clusters.item)
      .filter(
        (member) => member.cluster !== cluster && (member.state === "active" || member.state === "draining"),
      )
      .map((member) => text(member.cluster));
    return roundTrips(cluster, peers, links.map(LISTINGS.links.item).map(evidenceItem));
  } catch (error) {
    if (!isSilent(error)) throw error;
    return [{ peer: "", there: false, back: false, rttMs: null, missing: error.message }];
  }
}

/** The first member has nobody to be probed by: its gateway must at least have taken its configuration. */
async function gatewayServes(target: ApiTarget, gateway: string): Promise<boolean> {
  const { data } = answerOf(await callApi(target, { path: "/v1/proxies" }), "");
  const item = list(data.items).find(({ id }) => id === `gateway/${gateway}`);
  const { streams, types } = object(item?.xds);
  return (
    Number(streams ?? 0) > 0 &&
    list(types).length > 0 &&
    list(types).every(({ sent, acked }) => Number(acked) >= Number(sent))
  );
}

function report(config: JoinConfig, running: readonly Started[], trips: readonly RoundTrip[]) {
  const processes = running.map(({ name, pid, log, command }) => ({ name, pid, log, command }));
  say("agent and gateway go on in the background; give these commands to your service manager:");
  for (const { command } of running) say(`  ${command.join(" ")}`);
  return {
    kind: "Joined",
    data: { cluster: config.cluster, admin: config.adminUrl, roundTrips: trips, processes },
    text: () =>
      [
        trips.length === 0
          ? `${config.cluster} has joined as the first member; its gateway serves`
          : `${config.cluster} has joined; round trips through the data plane:`,
        ...(trips.length === 0
          ? []
          : [
              table(
                ["PEER", "THERE", "BACK", "RTT"],
                trips.map(({ peer, there, back, rttMs }) => [
                  peer,
                  there ? "yes" : "no",
                  back ? "yes" : "no",
                  rtt(rttMs),
                ]),
              ),
            ]),
        table(
          ["PROCESS", "PID", "LOG"],
          processes.map(({ name, pid, log }) => [name, pid, log]),
        ).trimEnd(),
      ].join("\n"),
  };
}
