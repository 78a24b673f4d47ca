/** A route explanation for people: one line per locality, below it the events that made it so. Pure. */
import type { Cause, ExplainedPort, RouteExplanation } from "@hansa/model";
import type { Answer } from "../shell/api.ts";
import { isoTime, table } from "../shell/output.ts";
import { stampText } from "./stamp.ts";

export function routeText(
  explanation: RouteExplanation,
  ports: readonly ExplainedPort[],
  answer: Pick<Answer, "by" | "position" | "committedAt">,
): string {
  const { from, namespace, service, summary } = explanation;
  const zone = from.zone === "" ? "" : `/${from.zone}`;
  const head = `${service}.${namespace} from ${from.cluster} (${from.region}${zone}), ${stampText(answer)}`;
  if (ports.length === 0) return `${head}\n\n${summary}`;
  return [head, ...ports.map((port) => portText(explanation, port))].join("\n\n");
}

function portText({ policy }: RouteExplanation, port: ExplainedPort): string {
  const rows = port.localities.map((one) => [
    one.priority,
    one.zone === "" ? one.cluster : `${one.cluster}/${one.zone}`,
    one.region,
    one.via,
    `${one.healthy}/${one.total}`,
    one.draining ? "draining" : one.link,
    `${one.sharePercent} %`,
    one.reason,
  ]);
  const lines = [
    `port ${port.port.name || port.port.port} (${port.port.port}/${port.port.protocol}), SNI ${port.sni}`,
    `the next priority takes over below ${policy.threshold} % healthy`,
    "",
    table(["PRIORITY", "CLUSTER", "REGION", "VIA", "HEALTHY", "LINK", "SHARE", "WHY"], rows).trimEnd(),
  ];
  if (port.failsFast) lines.push("nothing healthy: calls fail at once with 503 (HSA4006)");
  for (const { cluster, reason } of port.excluded) lines.push(`not used: ${cluster}: ${reason}`);
  for (const { message } of port.conflicts) lines.push(`conflict HSA4005: ${message}`);
  const causes = uniqueCauses([
    ...port.localities.flatMap(({ because }) => because),
    ...port.excluded.flatMap(({ because }) => because),
    ...policy.because,
  ]);
  if (causes.length > 0) lines.push("", "made so by", causesText(causes));
  return lines.join("\n");
}

function uniqueCauses(causes: readonly Cause[]): Cause[] {
  return [...new Map(causes.map((cause) => [cause.register, cause])).values()];
}

/** Register, the position of its event as `hansa wait` takes it, and the source's clock. */
export function causesText(causes: readonly Cause[]): string {
  const rows = causes.map(({ register, position, at }) => {
    const [cluster = "", lane = "", ...key] = register.split("/");
    return [
      `  ${cluster}`,
      key.join("/"),
      `${cluster}/${lane}/${position.epoch}/${position.seq}`,
      isoTime(at),
    ];
  });
  return table(["  SOURCE", "REGISTER", "EVENT", "SOURCE'S CLOCK"], rows).trimEnd();
}
