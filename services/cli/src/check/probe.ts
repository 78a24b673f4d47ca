/** One GET that shows what callApi hides: status, clock and body also of an answer that says no. */
import { request } from "node:https";
import { HansaError, isCode } from "@hansa/core";
import type { ApiTarget } from "@hansa/identity";
import { object, text } from "../shell/api.ts";
import type { Reach } from "./facts.ts";

export interface Probe {
  readonly reach: Reach;
  readonly status: number | null;
  readonly body: Readonly<Record<string, unknown>>;
  /** Its clock minus ours, to about half a second: HTTP dates have whole seconds. */
  readonly clockOffsetMs: number | null;
}

const TIMEOUT_MS = 5000;
const BYTES_MAX = 1024 * 1024;

export function probe(target: ApiTarget, path: string): Promise<Probe> {
  const sentMs = Date.now();
  return new Promise((resolve) => {
    const silent = (message: string) =>
      resolve({
        reach: { kind: "silent", message: `${target.url}: ${message}` },
        status: null,
        body: {},
        clockOffsetMs: null,
      });
    const headers = target.token === "" ? {} : { authorization: `Bearer ${target.token}` };
    const sent = request(
      new URL(path, target.url),
      { ca: target.caPem, headers, agent: false, timeout: TIMEOUT_MS },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("error", (error) => silent(error.message));
        response.on("data", (chunk: string) => {
          body += chunk;
          if (body.length > BYTES_MAX) response.destroy(new Error("answers without end"));
        });
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          const answer = parsed(body);
          resolve({
            reach: reachOf(status, answer, target.url),
            status,
            body: answer,
            clockOffsetMs: offset(response.headers.date, sentMs),
          });
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("does not answer in time")));
    sent.on("error", (error) => silent(error.message || String((error as NodeJS.ErrnoException).code)));
    sent.end();
  });
}

function parsed(body: string): Record<string, unknown> {
  try {
    return object(JSON.parse(body));
  } catch {
    return {};
  }
}

/** A coded refusal of credentials; everything else that answers, answers. */
function reachOf(status: number, answer: Readonly<Record<string, unknown>>, url: string): Reach {
  if (status !== 401 && status !== 403) return { kind: "answers" };
  const code = text(answer.code);
  return {
    kind: "refuses",
    code: isCode(code) ? code : "HSA3001",
    message: `${url}: ${text(answer.message)}`,
  };
}

function offset(date: string | undefined, sentMs: number): number | null {
  const stated = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(stated) ? null : Math.round(stated + 500 - (sentMs + Date.now()) / 2);
}

/** A question whose failure is only a missing fact here: null. Refusals and silence show in `reach`. */
export async function orNull<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HansaError) return null;
    throw error;
  }
}
