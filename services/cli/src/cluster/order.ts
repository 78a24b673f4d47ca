/** `hansa cluster drain|undrain|evict NAME`: an operator-signed order, sent, and waited for until it holds everywhere. */
import { HansaError } from "@hansa/core";
import { memberFacts, memberNamed } from "../mesh/federation.ts";
import { placeOfWrite, placeText } from "../mesh/positions.ts";
import { type ClusterOrder, orderInWords } from "../operator/orders.ts";
import { sendCommand } from "../operator/send.ts";
import { signedOrder } from "../operator/sign.ts";
import type { Context } from "../shell/context.ts";
import { durationOption } from "../shell/moment.ts";
import { clusterName, clusterOption } from "../shell/names.ts";
import { say } from "../shell/output.ts";
import type { Action, Shell } from "../shell/program.ts";
import { type Effect, waitForEffect } from "./effect.ts";
import { tellLosses } from "./losses.ts";

/** Member states in which the order is in force. */
const STATES: Readonly<Record<Exclude<ClusterOrder, "admit">, readonly string[]>> = {
  drain: ["draining", "evicted", "left"],
  undrain: ["active"],
  evict: ["evicted"],
};
const DONE = { drain: "drained", undrain: "undrained", evict: "evicted" } as const;
const TIMEOUT_MAX_MS = 3_600_000;

type Order = keyof typeof STATES;

export const orderAction =
  (order: Order): Action =>
  async (shell, [name], options) => {
    const cluster = clusterName(name);
    const timeoutMs = durationOption("--timeout", options.timeout, 1, TIMEOUT_MAX_MS);
    const outcome = await carryOut(shell, order, cluster, options, timeoutMs);
    return {
      kind: "ClusterOrder",
      data: { order, cluster, ...outcome },
      text: () =>
        `${cluster} is ${DONE[order]} at ${outcome.done.join(", ") || "nobody else"} (${outcome.elapsedMs} ms)`,
    };
  };

export interface Outcome extends Effect {
  readonly takenBy: string;
  readonly position: string | null;
}

/** Throws HSA1009 with who is missing where not everybody followed in time: the order itself stands. */
export async function carryOut(
  shell: Shell,
  order: Order,
  cluster: string,
  options: Readonly<Record<string, unknown>>,
  timeoutMs: number,
): Promise<Outcome> {
  const context = shell.context();
  const via = clusterOption(options.via);
  const { state } = await memberNamed(context, cluster);
  if (order !== "evict" && (state === "left" || state === "evicted"))
    throw new HansaError("HSA3010", `${cluster}: is no member any more (${state})`);
  const value = await signedOrder(shell, context, { do: order, cluster }, options);
  if (order !== "undrain") await tellLosses(context, cluster);
  const sent = await sendCommand(context, value, via);
  say(`${sent.by} took the order ${orderInWords(JSON.parse(value.payload).order)}`);
  const place = placeOfWrite(sent.data);
  const importers = await importersBut(context, cluster);
  const effect = await waitForEffect(context, {
    cluster,
    states: STATES[order],
    importers,
    place,
    timeoutMs,
  });
  failOnStragglers(`${cluster} is to be ${DONE[order]}`, effect);
  return { ...effect, takenBy: sent.by, position: place === null ? null : placeText(place) };
}

export function failOnStragglers(what: string, { stragglers }: Effect): void {
  if (stragglers.length === 0) return;
  const named = stragglers.map(({ importer, reason }) => `${importer} (${reason})`).join(", ");
  throw new HansaError("HSA1009", `${what}: the order stands, but not all have followed: ${named}`);
}

export async function importersBut(context: Context, cluster: string): Promise<string[]> {
  const members = await memberFacts(context);
  return members
    .filter(
      (member) => member.cluster !== cluster && (member.state === "active" || member.state === "draining"),
    )
    .map((member) => member.cluster);
}
