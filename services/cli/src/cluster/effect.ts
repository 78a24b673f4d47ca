/**
 * Waits until an order has its effect at every importer: its fold shows the new state, and its Envoys have acknowledged
 * what follows from it. Whoever lags is named.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { callApi } from "@hansa/identity";
import {
  accountNames,
  ackedBy,
  isAtLeast,
  type Place,
  placeText,
  positionsNow,
  readPlaces,
} from "../mesh/positions.ts";
import { answerOf, isSilent, list, object, READ_TIMEOUT_MS, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import { say } from "../shell/output.ts";

const POLL_MS = 200;

export interface Expected {
  readonly cluster: string;
  /** Member states that mean the order is in force. */
  readonly states: readonly string[];
  /** Importers whose Envoys must have acknowledged it. */
  readonly importers: readonly string[];
  /** Place of the order in a log, where its receiver told. */
  readonly place: Place | null;
  readonly timeoutMs: number;
}

export interface Effect {
  readonly done: readonly string[];
  /** Empty where everybody followed in time. */
  readonly stragglers: readonly { readonly importer: string; readonly reason: string }[];
  readonly elapsedMs: number;
}

export async function waitForEffect(context: Context, expected: Expected): Promise<Effect> {
  const startMs = performance.now();
  const watches = expected.importers.map((importer) => new ImporterWatch(context, expected, importer));
  let told = "";
  for (;;) {
    const names = await accountNames(context).catch(() => new Map<string, string>());
    const acked = await positionsNow(context).catch(() => null);
    for (const watch of watches)
      await watch.look(names, (place) => (acked === null ? null : ackedBy(acked, watch.importer, place)));
    const waiting = watches.filter(({ reason }) => reason !== "");
    const elapsedMs = Math.round(performance.now() - startMs);
    const stragglers = waiting.map(({ importer, reason }) => ({ importer, reason }));
    if (waiting.length === 0 || elapsedMs >= expected.timeoutMs)
      return {
        done: watches.filter(({ reason }) => reason === "").map(({ importer }) => importer),
        stragglers,
        elapsedMs,
      };
    const now = stragglers.map(({ importer, reason }) => `${importer} (${reason})`).join(", ");
    if (now !== told) say(`waiting for ${now}`);
    told = now;
    await sleep(POLL_MS);
  }
}

class ImporterWatch {
  readonly importer: string;
  /** What is still missing; "" = in force there. */
  reason = "has not been asked yet";
  readonly #context: Context;
  readonly #expected: Expected;
  /** Heads of its fold when it first showed the new state: what its Envoys must acknowledge. */
  #target: readonly Place[] | null = null;

  constructor(context: Context, expected: Expected, importer: string) {
    this.#context = context;
    this.#expected = expected;
    this.importer = importer;
  }

  async look(names: ReadonlyMap<string, string>, ackedAt: (place: Place) => Place | null): Promise<void> {
    const agent = this.#context.agents[this.importer];
    const { place } = this.#expected;
    try {
      if (agent !== undefined) {
        this.reason = await this.#askAgent(agent, names);
        return;
      }
    } catch (error) {
      if (!isSilent(error)) throw error;
      if (place === null) {
        this.reason = "its agent does not answer";
        return;
      }
    }
    if (place === null) {
      this.reason = "the context names no agent of it";
      return;
    }
    // Only the hub tells of it, by its heartbeats.
    const acked = ackedAt(place);
    if (acked !== null && isAtLeast(acked, place)) this.reason = "";
    else this.reason = acked === null ? "has told of nothing" : `at ${placeText(acked)}`;
  }

  async #askAgent(agent: Context["hub"], names: ReadonlyMap<string, string>): Promise<string> {
    const read = async (path: string) =>
      answerOf(await callApi(agent, { path, timeoutMs: READ_TIMEOUT_MS }), "").data;
    if (this.#target === null) {
      const { cluster, states } = this.#expected;
      const member = list((await read("/v1/clusters")).items).find(({ name }) => text(name) === cluster);
      const state = text(object(member).state);
      if (!states.includes(state)) return `has not heard of it (${state || "unknown"})`;
      const { heads } = await read("/v1/federation-state");
      this.#target = readPlaces(heads, names).filter(({ lane }) => lane === "sum");
    }
    const acked = readPlaces((await read("/v1/federation-state")).acked, names);
    const behind = this.#target.filter(
      (wanted) =>
        !acked.some(
          (held) => held.cluster === wanted.cluster && held.lane === wanted.lane && isAtLeast(held, wanted),
        ),
    );
    return behind.length === 0 ? "" : "its Envoys have not acknowledged it";
  }
}
