/** `hansa explain route CALLER SERVICE`: where would its calls go, in which order, and which events made it so? */
import { CODES, HansaError, isLabel } from "@hansa/core";
import { callApi } from "@hansa/identity";
import type { ExplainedPort, RouteExplanation } from "@hansa/model";
import {
  type Answer,
  answerOf,
  ask,
  askList,
  isSilent,
  pathOf,
  READ_TIMEOUT_MS,
  strings,
  text,
} from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import { momentOption } from "../shell/moment.ts";
import { parseService, parseWorkload, type ServiceName, type WorkloadName } from "../shell/names.ts";
import type { Action } from "../shell/program.ts";
import { LISTINGS } from "./listings.ts";
import { routeText } from "./route-text.ts";
import { stampOf } from "./stamp.ts";

export const action: Action = async (shell, [from = "", to = ""], options) => {
  const caller = parseWorkload(from);
  const service = parseService(to, caller.namespace);
  const at = momentOption("--at", options.at);
  const zone = zoneOption(options.zone);
  const answer = await askRoute(shell.context(), caller, service, zone, at);
  const explanation = answer.data as unknown as RouteExplanation;
  const ports = portsAsked(explanation, service);
  const first = ports[0];
  return {
    kind: "RouteExplanation",
    data: {
      ...stampOf(answer),
      caller: from,
      service: `${service.namespace}/${service.name}`,
      from: explanation.from,
      summary: explanation.summary,
      policy: explanation.policy,
      // The asked port's, or the first one's: what scripts want nearly always.
      sni: first?.sni ?? null,
      localities: first?.localities ?? [],
      excluded: first?.excluded ?? [],
      failsFast: first?.failsFast ?? true,
      ports,
    },
    text: () => routeText(explanation, ports, answer),
    // Nobody offers it (HSA4006): a finding, as in `explain access`.
    status: first === undefined ? CODES.HSA4006.exit : 0,
  };
};

/**
 * The caller's own agent knows its replicas' zones and what its Envoys were told; for the past, or where it is silent, the
 * hub computes the same from the archive.
 */
async function askRoute(
  context: Context,
  caller: WorkloadName,
  { namespace, name }: ServiceName,
  zone: string | undefined,
  at: string | undefined,
): Promise<Answer> {
  const path = "/v1/explain/route";
  const query = { cluster: caller.cluster, ns: namespace, service: name };
  const agentQuery = { workload: `${caller.namespace}/${caller.workload}`, zone };
  const agent = context.agents[caller.cluster];
  if (at === undefined && agent) {
    try {
      const by = `${caller.cluster}'s agent`;
      return answerOf(
        await callApi(agent, { path: pathOf(path, { ...query, ...agentQuery }), timeoutMs: READ_TIMEOUT_MS }),
        by,
      );
    } catch (error) {
      if (!isSilent(error)) throw error;
    }
  }
  const stands = zone ?? (await zoneOf(context, caller, at));
  return await ask(context, { path, query: { ...query, zone: stands }, agentQuery, at });
}

/** Zone of one of the caller's endpoints; of a caller that serves nothing the cluster's first zone. */
async function zoneOf(context: Context, caller: WorkloadName, at: string | undefined): Promise<string> {
  const { cluster, namespace, workload } = caller;
  const endpoints = await askList(context, { path: "/v1/endpoints", query: { cluster, namespace }, at });
  const own = endpoints.items.map(LISTINGS.endpoints.item).find((item) => item.workload === workload);
  if (own !== undefined) return text(own.zone);
  const clusters = await askList(context, { path: "/v1/clusters", at });
  const member = clusters.items.map(LISTINGS.clusters.item).find((item) => item.cluster === cluster);
  return strings(member?.zones)[0] ?? "";
}

function zoneOption(value: unknown): string | undefined {
  if (value === undefined || isLabel(String(value))) return value as string | undefined;
  throw new HansaError("HSA1001", `--zone ${String(value)}: must be a zone's name`);
}

/** Throws HSA1005 where the service has ports but not this one. */
export function portsAsked(
  { ports }: RouteExplanation,
  { namespace, name, port }: ServiceName,
): readonly ExplainedPort[] {
  if (port === undefined || ports.length === 0) return ports;
  const asked = ports.filter((one) => one.port.name === port || String(one.port.port) === port);
  if (asked.length > 0) return asked;
  const known = ports.map((one) =>
    one.port.name === "" ? one.port.port : `${one.port.name} (${one.port.port})`,
  );
  throw new HansaError("HSA1005", `${namespace}/${name}: has no port ${port}; it has ${known.join(", ")}`);
}
