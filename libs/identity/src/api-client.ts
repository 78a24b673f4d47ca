/**
 * One call of a Hansa HTTP API (hub or agent) over TLS with a pinned CA. Owns the mapping of answers to HansaError;
 * knows no route. Never falls back to the system's CAs.
 */

import { Agent, request } from "node:https";
import { type Code, HansaError, isCode, isHansaError, type Timers } from "@hansa/core";

export interface ApiTarget {
  /** `https://host:port`. */
  readonly url: string;
  /** The only CA that is trusted, PEM. */
  readonly caPem: string;
  /** Bearer token, "" for none. */
  readonly token: string;
  /** Carries the calls where there is no connection to make: throws and answers as `callApi` does. */
  readonly via?: (call: ApiCall) => Promise<unknown>;
}

export interface ApiCall {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const agents = new Map<string, Agent>();

/** Resolves to the parsed JSON answer. Throws HSA1012 where nobody answers, else the code that the API names. */
export function callApi(target: ApiTarget, call: ApiCall): Promise<unknown> {
  if (target.via !== undefined) return target.via(call);
  const url = new URL(call.path, target.url);
  const payload = call.body === undefined ? undefined : JSON.stringify(call.body);
  return new Promise((resolve, reject) => {
    const unreachable = (cause: Error) =>
      reject(
        new HansaError("HSA1012", `${url.origin}: does not answer (${cause.message || cause.name})`, {
          cause,
        }),
      );
    const sent = request(
      url,
      {
        method: call.method ?? "GET",
        agent: agentFor(target.caPem),
        timeout: call.timeoutMs ?? 10_000,
        headers: {
          ...(target.token === "" ? {} : { authorization: `Bearer ${target.token}` }),
          ...(payload === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on("error", unreachable);
        response.on("data", (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes > ANSWER_BYTES_MAX)
            response.destroy(new Error(`answer larger than ${ANSWER_BYTES_MAX} bytes`));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          try {
            resolve(readAnswer(response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"), url));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("timed out")));
    sent.on("error", unreachable);
    sent.end(payload);
  });
}

const LEADER_WAIT_MS = 10_000;
const LEADER_PAUSE_MS = 500;

/** As `callApi`. Waits ten seconds for a hub that says `details.retry`: it did nothing, for its leader is changing. */
export async function callLeader(target: ApiTarget, call: ApiCall, timers: Timers): Promise<unknown> {
  let isLate = false;
  const deadline = timers.after(LEADER_WAIT_MS, () => {
    isLate = true;
  });
  try {
    for (;;) {
      try {
        return await callApi(target, call);
      } catch (error) {
        if (isLate || !isHansaError(error) || error.details.retry !== true) throw error;
        await timers.sleep(LEADER_PAUSE_MS);
      }
    }
  } finally {
    deadline.cancel();
  }
}

function agentFor(caPem: string): Agent {
  let agent = agents.get(caPem);
  if (!agent) {
    agent = new Agent({ ca: caPem, keepAlive: true, maxSockets: 16 });
    agents.set(caPem, agent);
  }
  return agent;
}

function readAnswer(status: number, text: string, url: URL): unknown {
  let answer: unknown;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw new HansaError(
      "HSA1012",
      `${url.origin}${url.pathname}: answered ${status} with something that is not JSON`,
    );
  }
  if (status < 400) return answer;
  const { code, message, details } = (answer ?? {}) as {
    code?: string;
    message?: string;
    details?: Record<string, unknown>;
  };
  const known: Code = code !== undefined && isCode(code) ? code : "HSA1011";
  throw new HansaError(
    known,
    message ?? `${url.pathname}: answered ${status}`,
    details === undefined ? {} : { details },
  );
}
