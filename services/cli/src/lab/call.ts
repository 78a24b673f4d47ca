/** `hansa lab call`: finds the caller's sidecar and the service's port, then sends the load. */
import { HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { agentOf } from "../shell/context.ts";
import { labComponents, labPlace } from "../shell/lab-client.ts";
import { table } from "../shell/output.ts";
import { type Action, wholeNumber } from "../shell/program.ts";
import { parseSource, parseTarget } from "./call-plan.ts";
import { type Caller, grpcCaller, httpCaller, tcpCaller } from "./callers.ts";
import { type LoadSummary, runLoad } from "./load.ts";

const STATUS_SOME_FAILED = 79;

export const callAction: Action = async (shell, [from = "", to = ""], options) => {
  const source = parseSource(from);
  const target = parseTarget(to, source.namespace);
  const durationS =
    options.duration === undefined ? undefined : wholeNumber("--duration", options.duration, 1, 86_400);
  const fallback = durationS === undefined ? "1" : Number.POSITIVE_INFINITY;
  const count =
    options.count === undefined ? Number(fallback) : wholeNumber("-n", options.count, 1, 10_000_000);
  const atOnce = wholeNumber("-c", options.concurrency, 1, 1000);
  const rate = wholeNumber("--rate", options.rate, 0, 100_000);

  const place = await labPlace();
  const running = new Set(
    (await labComponents()).filter(({ state }) => state === "running").map(({ name }) => name),
  );
  const callers = place.replicas.filter(
    (one) =>
      one.cluster === source.cluster &&
      one.namespace === source.namespace &&
      one.workload === source.workload,
  );
  const caller = callers.find((one) => running.has(`${from}/${one.id}/sidecar`));
  if (!caller)
    throw new HansaError(
      "HSA6004",
      `${from}: no such workload with a running sidecar; workloads: ${names(place.replicas)}`,
    );

  const service = place.services.find(
    (one) => one.namespace === target.namespace && one.name === target.service,
  );
  const port =
    target.port === undefined
      ? service?.ports[0]
      : service?.ports.find((one) => one.name === target.port || String(one.port) === target.port);
  if (service && !port) throw new HansaError("HSA1005", `${to}: the service has no port ${target.port}`);
  const protocol = port?.protocol ?? "http";
  const host = `${target.service}.${target.namespace}.svc.clusterset.local`;
  const dial = {
    address: caller.address,
    port: place.outboundPort,
    authority: port === undefined ? host : `${host}:${port.port}`,
    path: target.path,
  };
  let client: Caller;
  if (protocol === "tcp") {
    const bound = await tcpPortOf(
      agentOf(shell.context(), source.cluster),
      caller.proxy,
      target.namespace,
      target.service,
      port?.name ?? "",
    );
    client = tcpCaller({ ...dial, port: bound });
  } else client = protocol === "grpc" || protocol === "http2" ? grpcCaller(dial) : httpCaller(dial);

  const stop = new AbortController();
  const timer = durationS === undefined ? undefined : setTimeout(() => stop.abort(), durationS * 1000);
  process.once("SIGINT", () => stop.abort());
  const summary = await runLoad(client, { count, atOnce, rate }, stop.signal);
  clearTimeout(timer);
  return {
    kind: "CallSummary",
    data: { from, to, protocol, ...summary },
    text: () => textOf(from, to, summary),
    status: summary.failed > 0 ? STATUS_SOME_FAILED : 0,
  };
};

function names(replicas: readonly { cluster: string; namespace: string; workload: string }[]): string {
  return [...new Set(replicas.map((one) => `${one.cluster}/${one.namespace}/${one.workload}`))].join(", ");
}

/** TCP has no authority: each TCP service port has a port of its own at every sidecar, which the agent chose. */
async function tcpPortOf(
  agent: Parameters<typeof callApi>[0],
  proxy: string,
  namespace: string,
  service: string,
  port: string,
): Promise<number> {
  const answer = (await callApi(agent, { path: `/v1/proxies/${encodeURIComponent(proxy)}` })) as {
    tcpPorts?: Record<string, number>;
  };
  const bound = Object.entries(answer.tcpPorts ?? {}).find(([sni]) =>
    sni.startsWith(`${port}.${service}.${namespace}.svc.`),
  )?.[1];
  if (bound === undefined)
    throw new HansaError(
      "HSA4006",
      `${service}.${namespace}: no live exporter offers it, so it has no port here`,
    );
  return bound;
}

function textOf(from: string, to: string, summary: LoadSummary): string {
  const share = (calls: number) => `${((100 * calls) / summary.sent).toFixed(1)}%`;
  const rows = Object.entries(summary.served).map(([who, calls]) => [who, calls, share(calls)]);
  const lines = [
    `${from} → ${to}: ${summary.sent} calls, ${summary.failed} failed, p50 ${summary.latencyMs.p50} ms, p99 ${summary.latencyMs.p99} ms`,
    `status: ${Object.entries(summary.statuses)
      .map(([status, calls]) => `${status} × ${calls}`)
      .join(", ")}`,
  ];
  if (summary.callers.length > 0)
    lines.push(`caller as the server's sidecar saw it: ${summary.callers.join(", ")}`);
  if (summary.firstFailure) {
    const { number, afterMs, status, detail } = summary.firstFailure;
    lines.push(`first failing call: #${number} after ${afterMs} ms: ${status} ${detail}`.trimEnd());
  }
  if (rows.length > 0) lines.push("", table(["SERVED BY", "CALLS", "SHARE"], rows));
  return lines.join("\n");
}
