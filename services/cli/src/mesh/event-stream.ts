/** The hub's events as they are committed (server-sent events). Reconnects and goes on after the last one seen. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isCode } from "@hansa/core";
import { type ApiTarget, callApi } from "@hansa/identity";
import { answerOf, object, pathOf, text } from "../shell/api.ts";
import { say } from "../shell/output.ts";

export interface Following {
  readonly source: string | undefined;
  readonly since: string | undefined;
}

const RECONNECT_MS = 1000;
/** The hub sends a comment at least this often, so that a dead way is noticed. */
const SILENCE_MAX_MS = 60_000;
const LINE_CHARS_MAX = 1024 * 1024;

/**
 * Ends when `signal` aborts. Throws what the hub refuses, and HSA1012 where it does not answer at first; a connection that
 * is lost later is made again for ever.
 */
export async function* followEvents(
  hub: ApiTarget,
  { source, since }: Following,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  // A fixed beginning: what is committed while a connection is made again is not missed.
  const now = await positionNow(hub);
  let lastId = since === undefined ? now : undefined;
  while (!signal.aborted) {
    try {
      const response = await open(hub, pathOf("/v1/events/stream", { source, since }), lastId, signal);
      for await (const { id, data } of eventsOf(response)) {
        lastId = id ?? lastId;
        yield data;
      }
      say("note: the hub ended the stream; connecting again");
    } catch (error) {
      if (signal.aborted) return;
      const isLost = !(error instanceof HansaError) || error.code === "HSA1012";
      if (!isLost) throw error;
      say(`note: the hub's stream ended (${(error as Error).message}); connecting again`);
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

async function positionNow(hub: ApiTarget): Promise<string | undefined> {
  const { position } = answerOf(await callApi(hub, { path: "/v1/events?limit=1" }), "hub");
  return position === null ? undefined : String(position);
}

interface ServerEvent {
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

async function* eventsOf(response: IncomingMessage): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  for await (const chunk of response) yield* parser.push(String(chunk));
}

function refusalOf(body: string, status: number): HansaError {
  let answer: Record<string, unknown> = {};
  try {
    answer = object(JSON.parse(body));
  } catch {
    // Not ours: the status says enough.
  }
  const code = text(answer.code);
  return new HansaError(isCode(code) ? code : "HSA1012", text(answer.message) || `answered ${status}`);
}

/** Throws what the hub refuses. */
async function open(
  hub: ApiTarget,
  path: string,
  lastId: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await send(hub, path, lastId, signal);
  response.setEncoding("utf8");
  const status = response.statusCode ?? 500;
  if (status < 400) return response;
  let body = "";
  for await (const chunk of response) body += String(chunk);
  throw refusalOf(body, status);
}

function send(hub: ApiTarget, path: string, lastId: string | undefined, signal: AbortSignal) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      new URL(path, hub.url),
      {
        ca: hub.caPem,
        signal,
        timeout: SILENCE_MAX_MS,
        headers: {
          accept: "text/event-stream",
          authorization: `Bearer ${hub.token}`,
          ...(lastId === undefined ? {} : { "last-event-id": lastId }),
        },
      },
      resolve,
    );
    sent.on("timeout", () => sent.destroy(new Error("silent for too long")));
    sent.on("error", (cause) =>
      reject(new HansaError("HSA1012", `${hub.url}: does not answer (${cause.message})`, { cause })),
    );
    sent.end();
  });
}

/** Server-sent events out of text chunks (HTML standard §9.2.6); fields other than id and data are not used here. */
export class EventParser {
  #rest = "";
  #id: string | undefined;
  #data: string[] = [];

  *push(chunk: string): Generator<ServerEvent> {
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_CHARS_MAX)
      throw new HansaError("HSA1006", "the hub's stream sends endless lines");
    for (const line of lines) {
      if (line === "") {
        const whole = this.#data.join("\n");
        this.#data = [];
        if (whole !== "") yield { id: this.#id, data: object(JSON.parse(whole)) };
        continue;
      }
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (field === "id") this.#id = value;
      if (field === "data") this.#data.push(value);
    }
  }
}
