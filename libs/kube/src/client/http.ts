/**
 * One HTTP request over one Agent. Owns time and size limits and the life of the socket; knows neither Kubernetes nor JSON.
 * Every end is told once.
 */
import type { IncomingMessage } from "node:http";
import { type Agent, request } from "node:https";
import type { TimerHandle, Timers } from "@hansa/core";
import type { Method } from "./right.ts";

export interface HttpRequest {
  readonly agent: Agent;
  readonly server: string;
  readonly method: Method;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Why there is no answer. */
export interface HttpFailure {
  readonly kind: "unreachable" | "timeout" | "too-large";
  readonly message: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

export interface Limits {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

/** Resolves when the headers have come; the body is the caller's to read. */
export function open(
  sent: HttpRequest,
  timers: Timers,
  timeoutMs: number,
): { readonly answered: Promise<IncomingMessage | HttpFailure>; abort(): void } {
  const url = new URL(sent.path, sent.server);
  const length = sent.body === undefined ? {} : { "content-length": String(Buffer.byteLength(sent.body)) };
  const wire = request(url, {
    agent: sent.agent,
    method: sent.method,
    headers: { accept: "application/json", ...sent.headers, ...length },
  });
  const answered = new Promise<IncomingMessage | HttpFailure>((resolve) => {
    const timer = timers.after(timeoutMs, () => {
      resolve({ kind: "timeout", message: `no answer within ${timeoutMs} ms` });
      wire.destroy();
    });
    wire.on("response", (response) => {
      timer.cancel();
      resolve(response);
    });
    wire.on("error", (error) => {
      timer.cancel();
      resolve(failureOf(error));
    });
    wire.on("close", () => timer.cancel());
  });
  wire.end(sent.body);
  return { answered, abort: () => void wire.destroy() };
}

/** A whole answer, within both limits. */
export async function exchange(
  sent: HttpRequest,
  timers: Timers,
  limits: Limits,
): Promise<HttpAnswer | HttpFailure> {
  const response = await open(sent, timers, limits.timeoutMs).answered;
  if (isFailure(response)) return response;
  const text = await readAll(response, timers, limits);
  if (typeof text !== "string") return text;
  return { status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], text };
}

/** The body within the limits: bytes count while they come, so that no more than the bound is ever held. */
export function readAll(
  response: IncomingMessage,
  timers: Timers,
  { timeoutMs, answerBytesMax }: Limits,
): Promise<string | HttpFailure> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let timer: TimerHandle | undefined;
    let isOver = false;
    const end = (outcome: string | HttpFailure): void => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      resolve(outcome);
      if (typeof outcome !== "string") response.destroy();
    };
    timer = timers.after(timeoutMs, () =>
      end({ kind: "timeout", message: `no whole answer within ${timeoutMs} ms` }),
    );
    response.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= answerBytesMax) chunks.push(chunk);
      else
        end({
          kind: "too-large",
          message: `the answer is longer than ${answerBytesMax} bytes`,
        });
    });
    response.on("end", () => end(Buffer.concat(chunks, sizeBytes).toString("utf8")));
    response.on("error", (error) => end(failureOf(error)));
    response.on("close", () =>
      end({ kind: "unreachable", message: "the connection ended within the answer" }),
    );
  });
}

export const isFailure = (value: object): value is HttpFailure => "kind" in value;

export const failureOf = (error: Error): HttpFailure => ({
  kind: "unreachable",
  message: error.message || (error as NodeJS.ErrnoException).code || "the connection failed",
});
