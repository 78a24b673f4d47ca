/**
 * Questions to the hub, or where the hub does not answer to an agent: any agent folds the same logs. Every answer says
 * who gave it. A refusal is final, only silence is worked around.
 */
import { HansaError, isHansaError } from "@hansa/core";
import { type ApiCall, callApi } from "@hansa/identity";
import type { Context } from "./context.ts";
import { say } from "./output.ts";

export interface Answer {
  readonly data: Record<string, unknown>;
  /** Archive position that the answer is as of; null where an agent answered. */
  readonly position: number | null;
  readonly committedAt: string | null;
  /** `hub`, or `<cluster>'s agent`. */
  readonly by: string;
}

export interface Question {
  readonly path: string;
  /** Query parameters; undefined ones are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** `--at`: only the hub keeps the past. */
  readonly at?: string | undefined;
  /** False: only the hub can answer it. */
  readonly agents?: boolean;
  /** Beside `query`, for agents alone; the hub refuses parameters that it does not know. */
  readonly agentQuery?: Question["query"];
}

export const READ_TIMEOUT_MS = 5000;
export const PAGES_MAX = 200;
const PAGE_ITEMS = 1000;

/** Codes by which a server says that it cannot answer at all now. */
const SILENT: readonly string[] = ["HSA1012", "HSA2010", "HSA2011"];
export const isSilent = (error: unknown): error is HansaError =>
  isHansaError(error) && SILENT.includes(error.code);

export function pathOf(path: string, query: Question["query"] = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given}`;
}

export async function ask(context: Context, question: Question): Promise<Answer> {
  const { path, query = {}, at, agents = true } = question;
  try {
    return answerOf(await callHub(context, read(pathOf(path, { ...query, at }))), "hub");
  } catch (error) {
    if (!isSilent(error)) throw error;
    if (at !== undefined)
      throw new HansaError("HSA1012", `${error.message}; only the hub can answer --at`, { cause: error });
    if (!agents) throw error;
    return await askAnyAgent(context, pathOf(path, { ...query, ...question.agentQuery }), error);
  }
}

const HUB_RETRY_MS = 5000;
const silentHubs = new WeakMap<Context, { readonly error: HansaError; readonly atMs: number }>();

/** A hub that was silent a moment ago is not waited for again by each part of one command. */
async function callHub(context: Context, call: ApiCall): Promise<unknown> {
  const known = silentHubs.get(context);
  if (known && performance.now() - known.atMs < HUB_RETRY_MS) throw known.error;
  try {
    return await callApi(context.hub, call);
  } catch (error) {
    if (isSilent(error)) silentHubs.set(context, { error, atMs: performance.now() });
    throw error;
  }
}

const toldOf = new WeakSet<Context>();

async function askAnyAgent(context: Context, path: string, why: HansaError): Promise<Answer> {
  for (const [cluster, agent] of Object.entries(context.agents)) {
    try {
      const answer = answerOf(await callApi(agent, read(path)), `${cluster}'s agent`);
      if (!toldOf.has(context) && context.kubernetes === undefined)
        say(`note: the hub does not answer (${why.code}); ${answer.by} did`);
      toldOf.add(context);
      return answer;
    } catch (error) {
      if (!isSilent(error)) throw error;
    }
  }
  throw new HansaError("HSA1012", `${why.message}; nor does any agent of ${context.file}`, { cause: why });
}

/** All pages of a list. Throws HSA1006 beyond 200 pages of 1000. */
export async function askList(
  context: Context,
  question: Question,
): Promise<Answer & { readonly items: readonly Record<string, unknown>[] }> {
  const items: Record<string, unknown>[] = [];
  let { at } = question;
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = { ...question.query, limit: PAGE_ITEMS, cursor };
    const answer = await ask(context, { ...question, at, query });
    items.push(...list(answer.data.items));
    const { next } = answer.data;
    if (typeof next !== "string") return { ...answer, items };
    cursor = next;
    // Later pages are of the same moment as the first.
    if (answer.position !== null) at = String(answer.position);
  }
  throw new HansaError(
    "HSA1006",
    `${question.path}: more than ${PAGES_MAX * PAGE_ITEMS} items; narrow the question`,
  );
}

const read = (path: string): ApiCall => ({ path, timeoutMs: READ_TIMEOUT_MS });

export function answerOf(answer: unknown, by: string): Answer {
  const { data, position, committedAt } = object(answer);
  return {
    data: object(data),
    position: typeof position === "number" ? position : null,
    committedAt: typeof committedAt === "string" ? committedAt : null,
    by,
  };
}

// === reading of answers: a field of another version that is not there reads as empty, never as a crash ===

export const object = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
export const list = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.map(object) : [];
export const text = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);
export const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
export const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
