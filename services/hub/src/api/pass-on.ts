/**
 * A hub that stands by passes what only the leader answers on to it, and gives back its answer: callers may meet any
 * replica. One hop, sent once: what fails before the leader's certificate is verified was not sent, and whatever fails
 * later may have been carried out.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { HansaError } from "@hansa/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ownUrlOf } from "../config.ts";
import type { Role } from "../leader/terms.ts";
import type { Hub } from "./hub.ts";

export const MARK = "hansa-passed-on";
/** Requests of others that wait for the leader at once. */
export const PASSED_ON_MAX = 64;
const CONNECT_TIMEOUT_MS = 3000;
/** Without a byte of the answer; a join waits for the bus. */
const ANSWER_TIMEOUT_MS = 30_000;
const HEADERS_THERE = ["authorization", "content-type", "traceparent", "tracestate"] as const;
const HEADERS_BACK = ["content-type", "retry-after", "www-authenticate"] as const;

export type Way =
  | { readonly kind: "pass"; readonly url: URL }
  /** `retry`: somebody leads in a moment. */
  | { readonly kind: "refuse"; readonly why: string; readonly retry: boolean };

/** For a hub that does not lead. `leaderUrl` as the leader announced it, `marked`: another hub passed it on. */
export function wayOf(own: {
  readonly role: Role;
  readonly marked: boolean;
  readonly leaderUrl: string;
  readonly ownUrl: string;
}): Way {
  const { role, marked, leaderUrl, ownUrl } = own;
  const refuse = (why: string, retry = true): Way => ({ kind: "refuse", why, retry });
  if (role !== "standby") return refuse("starting; try again");
  if (marked || (leaderUrl !== "" && leaderUrl === ownUrl))
    return refuse("standby, and the leader is changing; try again");
  if (!URL.canParse(leaderUrl))
    return refuse("standby; ask the hub that leads, or set `api.ownHost` in its hub.yaml", false);
  return { kind: "pass", url: new URL(leaderUrl) };
}

/** The headers that matter to the leader; `content-length` for a body. */
export function headersThere(headers: IncomingHttpHeaders, mark: string, body: string | undefined) {
  const there: Record<string, string | number> = { [MARK]: mark };
  for (const name of HEADERS_THERE) {
    const value = headers[name];
    if (typeof value === "string") there[name] = value;
  }
  return body === undefined ? there : { ...there, "content-length": Buffer.byteLength(body) };
}

export class PassOn {
  readonly #hub: Hub;
  /** Only who holds the hubs' keys can say it. */
  readonly #mark: string;
  #underWay = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#mark = createHmac("sha256", hub.keys.tls.exportKey()).update(MARK).digest("hex");
  }

  /** By another replica of this hub, which has checked the caller's rate. */
  isPassedOn(headers: IncomingHttpHeaders): boolean {
    const given = Buffer.from(String(headers[MARK] ?? ""));
    const mark = Buffer.from(this.#mark);
    return given.length === mark.length && timingSafeEqual(given, mark);
  }

  /** Throws HSA1012 where the leader is not reached, with `details.retry` where asking again helps and repeats nothing. */
  async send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { role, store, config } = this.#hub;
    const marked = this.isPassedOn(request.headers);
    const leaderUrl = role === "standby" ? await store.leaderUrl() : "";
    const way = wayOf({ role, marked, leaderUrl, ownUrl: ownUrlOf(config) });
    if (way.kind === "refuse") throw refusal(way.why, way.retry);
    if (this.#underWay >= PASSED_ON_MAX)
      throw new HansaError("HSA1006", `at most ${PASSED_ON_MAX} requests wait for the leader at once`, {
        details: { status: 429 },
      });
    const response = await this.#answerOf(way.url, request);
    for (const name of HEADERS_BACK) {
      const value = response.headers[name];
      if (value !== undefined) reply.header(name, value);
    }
    return reply.status(response.statusCode ?? 502).send(response);
  }

  async #answerOf(leader: URL, request: FastifyRequest): Promise<IncomingMessage> {
    this.#underWay += 1;
    try {
      return await this.#ask(await this.#connect(leader), request);
    } finally {
      this.#underWay -= 1;
    }
  }

  #connect(url: URL): Promise<TLSSocket> {
    const { keys, config } = this.#hub;
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: url.hostname.replaceAll(/[[\]]/g, ""),
        port: Number(url.port || 443),
        ca: keys.tls.certPem,
        // Replicas are dialled by addresses of their own, which no certificate names; what they all are called does.
        checkServerIdentity: (_dialled, certificate) => {
          const verdicts = config.api.hosts.map((name) => checkServerIdentity(name, certificate));
          return verdicts.includes(undefined) ? undefined : verdicts[0];
        },
        timeout: CONNECT_TIMEOUT_MS,
      });
      socket.once("timeout", () => socket.destroy(new Error("timed out")));
      socket.once("error", (error) =>
        reject(
          refusal(`standby; the hub that leads is not reached at ${url.origin} (${error.message})`, true),
        ),
      );
      socket.once("secureConnect", () => resolve(socket));
    });
  }

  #ask(socket: TLSSocket, { method, url, headers, body }: FastifyRequest): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    socket.setTimeout(ANSWER_TIMEOUT_MS);
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(
        {
          method,
          path: url,
          headers: headersThere(headers, this.#mark, text),
          createConnection: () => socket,
        },
        resolve,
      );
      sent.once("error", (error) =>
        reject(
          refusal(
            `the hub that leads did not answer (${error.message}); what was asked may be done: look first`,
            false,
          ),
        ),
      );
      sent.end(text);
    });
  }
}

const refusal = (why: string, retry: boolean): HansaError =>
  new HansaError("HSA1012", `hub: ${why}`, retry ? { details: { retry } } : {});
