/** `hansa explain access SPIFFE_ID SERVICE`: would this caller be let in, and by which rule? Exit status 79 on deny. */
import { CODES, HansaError, parseWorkloadId } from "@hansa/core";
import type { AccessExplanation } from "@hansa/model";
import { ask } from "../shell/api.ts";
import { momentOption } from "../shell/moment.ts";
import { parseService } from "../shell/names.ts";
import { table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { causesText } from "./route-text.ts";
import { stampOf, stampText } from "./stamp.ts";

export const action: Action = async (shell, [caller = "", to = ""], options) => {
  const id = parseWorkloadId(caller);
  if (id === undefined)
    throw new HansaError(
      "HSA1001",
      `${caller}: must be a SPIFFE ID, spiffe://CLUSTER.FEDERATION/ns/NS/sa/SERVICEACCOUNT`,
    );
  const { namespace, name } = parseService(to, id.namespace);
  const at = momentOption("--at", options.at);
  const answer = await ask(shell.context(), {
    path: "/v1/explain/access",
    query: { caller, ns: namespace, service: name },
    at,
  });
  const explanation = answer.data as unknown as AccessExplanation;
  return {
    kind: "AccessExplanation",
    data: { ...stampOf(answer), ...explanation, code: explanation.verdict === "allow" ? null : "HSA4007" },
    text: () => accessText(explanation, stampText(answer)),
    status: explanation.verdict === "allow" ? 0 : CODES.HSA4007.exit,
  };
};

export function accessText(explanation: AccessExplanation, stamp: string): string {
  const { verdict, by, message, caller, namespace, service, exporters } = explanation;
  const code = verdict === "allow" ? "" : "  HSA4007";
  const lines = [
    `${verdict.toUpperCase()} by ${by}${code}`,
    `  ${message}`,
    `  ${caller} → ${service}.${namespace}, ${stamp}`,
  ];
  if (exporters.length > 0) {
    const rows = exporters.map((one) => [one.cluster, one.verdict, one.by, one.message]);
    lines.push("", table(["EXPORTER", "VERDICT", "BY", "WHY"], rows).trimEnd());
  }
  const causes = exporters.flatMap(({ because }) => because);
  if (causes.length > 0) lines.push("", "made so by", causesText(causes));
  return lines.join("\n");
}
