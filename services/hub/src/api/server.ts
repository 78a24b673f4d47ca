/**
 * The HTTP server: TLS, credentials, limits, the envelope and errors. Knows no route's business. Loopback is no
 * exemption from credentials.
 */
import { CODES, HansaError, isHansaError } from "@hansa/core";
import { findApiToken } from "@hansa/store";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type * as z from "zod";
import type { Hub } from "./hub.ts";
import { RateLimit } from "./limits.ts";
import { PassOn } from "./pass-on.ts";
import { type Access, type Answer, allows, type Call, type Principal, type Route } from "./route.ts";

export const API_VERSION = "hansa/v1";
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 1000;
/** Seconds of its rate that a caller may use at once. */
const BURST_SECONDS = 5;
const CERTIFICATE_EVERY_MS = 24 * 3_600_000;

export interface ApiServer {
  /** The port in use. */
  readonly port: number;
  close(): Promise<void>;
}

/** Throws HSA1012 where the address is taken. */
export async function serveApi(hub: Hub, routes: readonly Route[]): Promise<ApiServer> {
  const { config, keys, timers, log } = hub;
  const certificate = () => keys.tls.issueServer(config.api.hosts);
  const first = certificate();
  const server = Fastify({
    https: { cert: first.certPem, key: first.keyPem, minVersion: "TLSv1.2" },
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 0,
    keepAliveTimeout: 60_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  const renewal = timers.every(CERTIFICATE_EVERY_MS, () => {
    const { certPem, keyPem } = certificate();
    (server.server as unknown as import("node:https").Server).setSecureContext({
      cert: certPem,
      key: keyPem,
    });
  });
  const passOn = new PassOn(hub);
  const gate = new Gate(hub, passOn);
  server.setErrorHandler((error, request, reply) => {
    const known = asHansaError(error);
    if (known.code === "HSA1011")
      log.error("request failed", {
        route: `${request.method} ${request.routeOptions.url ?? ""}`,
        reason: known.cause instanceof Error ? (known.cause.stack ?? "") : known.message,
      });
    return sendError(reply, known);
  });
  server.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new HansaError("HSA1005", `${request.method} ${request.url.split("?")[0]}: no such route`),
    ),
  );
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, body === "" ? undefined : JSON.parse(body as string));
    } catch {
      done(new HansaError("HSA1004", "body: not JSON"));
    }
  });
  for (const route of routes) addRoute(server as unknown as FastifyInstance, { hub, gate, passOn }, route);
  try {
    await server.listen({ host: config.api.host, port: config.api.port });
  } catch (error) {
    renewal.cancel();
    throw new HansaError("HSA1012", `api ${config.api.host}:${config.api.port}: ${String(error)}`, {
      cause: error,
    });
  }
  const address = server.server.address();
  const port = typeof address === "object" && address !== null ? address.port : config.api.port;
  log.info("api listens", { host: config.api.host, port });
  return {
    port,
    async close() {
      renewal.cancel();
      await server.close();
    },
  };
}

interface Parts {
  readonly hub: Hub;
  readonly gate: Gate;
  readonly passOn: PassOn;
}

function addRoute(server: FastifyInstance, { hub, gate, passOn }: Parts, route: Route): void {
  const { metrics } = hub;
  server.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyBytesMax ?? BODY_BYTES_MAX,
    // Before the body is read: a caller without a credential costs no parsing.
    onRequest: async (request) => {
      (request as { principal?: Principal | null }).principal = await gate.admit(request, route.access);
    },
    onResponse: async (_request, reply) => {
      const labels = { route: `${route.method} ${route.path}` };
      metrics.count("hansa_http_requests_total", { ...labels, status: String(reply.statusCode) });
      metrics.observe("hansa_http_seconds", reply.elapsedTime / 1000, labels);
    },
    handler: async (request, reply) => {
      const { leader } = hub;
      const handle =
        "lead" in route
          ? leader && ((call: Call) => route.lead(call, leader))
          : (call: Call) => route.handle(call);
      if (handle === null) return passOn.send(request, reply);
      const call: Call = {
        principal: (request as { principal?: Principal | null }).principal ?? null,
        params: (request.params ?? {}) as Record<string, string>,
        query: check(route.query, request.query, "query") as Record<string, unknown>,
        body: check(route.body, request.body, "body"),
        request,
        reply,
      };
      const answer = await handle(call);
      if (answer === undefined) return reply;
      return reply.send(envelope(route.kind, answer));
    },
  });
}

function envelope(kind: string, { data, position, committedMs }: Answer): Record<string, unknown> {
  return {
    apiVersion: API_VERSION,
    kind,
    data,
    ...(position === undefined ? {} : { position }),
    ...(committedMs === undefined ? {} : { committedAt: new Date(committedMs).toISOString() }),
  };
}

function check(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return value ?? {};
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${[what, ...path].join(".")}: ${message}`);
  throw new HansaError("HSA1004", problems.slice(0, 10).join("; "));
}

class Gate {
  readonly #hub: Hub;
  readonly #passOn: PassOn;
  readonly #known: RateLimit;
  readonly #strangers: RateLimit;

  constructor(hub: Hub, passOn: PassOn) {
    const { requestsPerSecondMax: known, strangersPerSecondMax: strangers } = hub.config.api;
    this.#hub = hub;
    this.#passOn = passOn;
    this.#known = new RateLimit(hub.clock, known, known * BURST_SECONDS);
    this.#strangers = new RateLimit(hub.clock, strangers, strangers * BURST_SECONDS);
  }

  /** null for routes without a credential. */
  async admit(request: FastifyRequest, access: Access): Promise<Principal | null> {
    if (access === "none") return this.#limited(this.#known, request.ip, null);
    // The replica that passed it on has held its caller to the limit.
    if (access === "secret" && this.#passOn.isPassedOn(request.headers)) return null;
    if (access === "secret") return this.#limited(this.#strangers, request.ip, null);
    const secret = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? "")?.[1];
    const token = secret === undefined ? null : await findApiToken(this.#hub.store.db, secret);
    if (token === null) {
      this.#limited(this.#strangers, request.ip, null);
      throw new HansaError(
        "HSA3001",
        secret === undefined
          ? "authorization: no bearer token"
          : "authorization: the token is unknown, expired or revoked",
      );
    }
    if (!allows(token.role, access))
      throw new HansaError("HSA3002", `this needs the role ${access}; the token has ${token.role}`);
    const principal = { name: `${token.name} (${token.id})`, role: token.role, cluster: token.cluster };
    return this.#limited(this.#known, token.id, principal);
  }

  #limited<Value>(limit: RateLimit, caller: string, value: Value): Value {
    if (limit.take(caller)) return value;
    throw new HansaError("HSA1006", "too many requests; wait a second", { details: { status: 429 } });
  }
}

function asHansaError(error: unknown): HansaError {
  if (isHansaError(error)) return error;
  const {
    statusCode,
    message = "",
    code = "",
  } = error as { statusCode?: number; message?: string; code?: string };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return new HansaError("HSA1006", `body: ${message}`);
  if (statusCode !== undefined && statusCode < 500) return new HansaError("HSA1004", `request: ${message}`);
  return new HansaError("HSA1011", "internal error; the hub's log has the details", { cause: error });
}

export function sendError(reply: FastifyReply, error: HansaError): FastifyReply {
  const { code, message, details } = error;
  const { status, ...shown } = details as { status?: number; retry?: boolean };
  const body = {
    apiVersion: API_VERSION,
    kind: "Error",
    code,
    message,
    todo: CODES[code].todo,
    ...(Object.keys(shown).length > 0 ? { details: shown } : {}),
  };
  if (status === 429 || shown.retry === true) reply.header("retry-after", "1");
  if (error.httpStatus === 401) reply.header("www-authenticate", 'Bearer realm="hansa"');
  return reply.status(status ?? error.httpStatus).send(body);
}
