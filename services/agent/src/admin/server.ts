/** The admin API's server: TLS, credentials on every route, limits, and errors in one shape. Knows no route's content. */
import { CODES, HansaError, isHansaError, type Log, type Metrics } from "@hansa/core";
import { type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import { z } from "zod";
import { problemsOf } from "../source/problems.ts";
import { type Actor, authorize, type Role, type TokenEntry } from "./auth.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 15_000;

export interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly actor: Actor;
}

/** Answered as it is, with its own content type. */
export class Plain {
  readonly type: string;
  readonly content: string;
  readonly status: number;
  constructor(type: string, content: string, status = 200) {
    this.type = type;
    this.content = content;
    this.status = status;
  }
}

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** "none": no credential, for probes of liveness alone. */
  readonly role: Role | "none";
  readonly answer: (asked: Asked) => unknown;
}

export const envelope = (kind: string, data: unknown): Record<string, unknown> => ({
  apiVersion: "hansa/v1",
  kind,
  position: null,
  committedAt: null,
  data,
});

function errorBody(error: HansaError): Record<string, unknown> {
  return {
    apiVersion: "hansa/v1",
    kind: "Error",
    code: error.code,
    message: error.message,
    todo: CODES[error.code].todo,
    details: error.details,
  };
}

function codedError(error: unknown): HansaError {
  if (isHansaError(error)) return error;
  if (error instanceof z.ZodError) return new HansaError("HSA1004", problemsOf(error).join("; "));
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) return new HansaError("HSA1006", `body: more than ${BODY_BYTES_MAX} bytes`);
  if (statusCode !== undefined && statusCode < 500)
    return new HansaError("HSA1004", message ?? "bad request");
  return new HansaError("HSA1011", "the request failed inside the agent; its log says more", {
    cause: error,
  });
}

export interface AdminOptions {
  readonly tls: { readonly cert: string; readonly key: string };
  readonly tokens: readonly TokenEntry[];
  readonly routes: readonly Route[];
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AdminServer {
  readonly app: FastifyInstance;
  /** A renewed certificate, for new connections. */
  setTls(tls: { readonly cert: string; readonly key: string }): void;
}

const text = (record: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries((record ?? {}) as Record<string, unknown>).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

export function adminServer({ tls, tokens, routes, log, metrics }: AdminOptions): AdminServer {
  const app = fastify({
    https: { ...tls, minVersion: "TLSv1.2" },
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    logger: false,
  }) as unknown as FastifyInstance;
  const actors = new WeakMap<FastifyRequest, Actor>();

  app.setErrorHandler((error, request, reply) => {
    const coded = codedError(error);
    metrics.count("hansa_http_requests_total", {
      route: request.routeOptions.url ?? "unknown",
      status: String(coded.httpStatus),
    });
    if (coded.code === "HSA1011")
      log.error("admin: a request failed", { path: request.url, reason: String((error as Error).stack) });
    return reply.status(coded.httpStatus).send(errorBody(coded));
  });
  // Also what does not exist is told to known callers only.
  app.setNotFoundHandler((request) => {
    authorize(request.headers.authorization, "viewer", tokens);
    throw new HansaError("HSA1005", `${request.method} ${request.url}: no such route`);
  });

  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      onRequest: async (request) => {
        if (route.role !== "none")
          actors.set(request, authorize(request.headers.authorization, route.role, tokens));
      },
      handler: async (request, reply) => {
        const actor = actors.get(request) ?? { name: "nobody", role: "viewer" };
        const answer = await route.answer({
          params: text(request.params),
          query: text(request.query),
          body: request.body,
          actor,
        });
        const status = answer instanceof Plain ? answer.status : 200;
        metrics.count("hansa_http_requests_total", { route: route.path, status: String(status) });
        if (answer instanceof Plain) return reply.status(status).type(answer.type).send(answer.content);
        return reply.send(answer);
      },
    });
  }
  return {
    app,
    setTls: (renewed) => (app.server as unknown as import("node:https").Server).setSecureContext(renewed),
  };
}
