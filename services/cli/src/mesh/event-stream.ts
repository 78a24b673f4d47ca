/** The hub's events as they are committed (server-sent events). Reconnects and goes on after the last one seen. */
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isCode } from "@hansa/core";
import type { ApiTarget } from "@hansa/identity";
import { object, pathOf, text } from "../shell/api.ts";
import { say } from "../shell/output.ts";

export interface Following {
  readonly source: string | undefined;
  readonly since: string | undefined;
}

const RECONNECT_MS = 1000;
/** The hub sends a comment at least this often, so that a dead way is noticed. */
const SILENCE_MAX_MS = 60_000;
const LINE_CHARS_MAX = 1024 * 1024;

/** Ends when `signal` aborts. Throws what the hub refuses; a lost connection is tried again for ever. */
export async function* followEvents(
  hub: ApiTarget,
  { source, since }: Following,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  let lastId: string | undefined;
  let connected = false;
  while (!signal.aborted) {
    try {
      const path = pathOf("/v1/events/stream", { source, since });
      for await (const { id, data } of stream(hub, path, lastId, signal)) {
        connected = true;
        lastId = id ?? lastId;
        yield data;
      }
    } catch (error) {
      if (signal.aborted) return;
      const known = error instanceof HansaError ? error : undefined;
      if (known && known.code !== "HSA1012") throw known;
      // The first connection must succeed: a wrong address is not to be retried silently.
      if (!connected && lastId === undefined)
        throw known ?? new HansaError("HSA1012", `${hub.url}: ${String(error)}`);
      say(`note: the hub's stream ended (${(error as Error).message}); connecting again`);
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

interface ServerEvent {
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

async function* stream(
  hub: ApiTarget,
  path: string,
  lastId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const response = await open(hub, path, lastId, signal);
  const parser = new EventParser();
  response.setEncoding("utf8");
  if ((response.statusCode ?? 500) >= 400) {
    let body = "";
    for await (const chunk of response) body += chunk;
    throw refusalOf(body, response.statusCode ?? 500);
  }
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

function open(hub: ApiTarget, path: string, lastId: string | undefined, signal: AbortSignal) {
  return new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
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
