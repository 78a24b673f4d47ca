/**
 * Requests to one API server, answered by values: never throws for what a server or a network can do. Owns authentication
 * (once more with fresh credentials after a 401), limits, and the check against the table of rights. Knows no kind of object.
 */
import { assert, isHansaError } from "@hansa/core";
import type { Access, Way } from "../config/access.ts";
import type { KubePorts } from "../ports.ts";
import { pathOf, type Target, textOf } from "../resource.ts";
import { exchange, type HttpFailure, type HttpRequest, isFailure, open, readAll } from "./http.ts";
import { ANSWER_BYTES_MAX, REQUEST_TIMEOUT_MS, WATCH_OPEN_TIMEOUT_MS } from "./limits.ts";
import { type Problem, problem, readStatus } from "./problem.ts";
import { type Method, type Right, rightOf, textOfRight } from "./right.ts";
import { type StreamHandlers, streamBody } from "./stream.ts";

export interface KubeRequest {
  readonly method: Method;
  readonly target: Target;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
  readonly timeoutMs?: number;
  readonly answerBytesMax?: number;
}

export type Answer =
  | { readonly ok: true; readonly status: number; readonly body: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** Requests alone: what everything but a reflector needs. */
export interface Sender {
  send(request: KubeRequest): Promise<Answer>;
}

export interface KubeClientOptions {
  readonly access: Access;
  readonly ports: KubePorts;
  /** Where given, a request that needs any other right is a broken invariant: tests give the table of rights. */
  readonly rights?: readonly Right[] | undefined;
}

export class KubeClient implements Sender {
  readonly #options: KubeClientOptions;
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #waiting = new Set<() => void>();
  #isAway = false;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    this.#allowed = options.rights && new Set(options.rights.map(textOfRight));
  }

  /** Namespace of the context, or of this pod. */
  get namespace(): string {
    return this.#options.access.source.namespace;
  }

  /** `run` each time the API server answers after it did not. Answers how to end that. */
  onReached(run: () => void): () => void {
    this.#waiting.add(run);
    return () => void this.#waiting.delete(run);
  }

  async send(request: KubeRequest): Promise<Answer> {
    const right = this.#right(request, false);
    const answer = await this.#authenticated((way) => this.#once(request, way));
    if (answer.ok || answer.problem.status !== 0) this.#reached();
    this.#options.ports.metrics.count("hansa_kube_requests_total", {
      right: textOfRight(right),
      outcome: answer.ok ? "ok" : answer.problem.kind,
    });
    return answer;
  }

  /** A watch: `handlers` hear lines until it ends. Nothing is heard after the answered function was called. */
  watch(target: Target, query: Readonly<Record<string, string>>, handlers: StreamHandlers): () => void {
    const request: KubeRequest = { method: "GET", target, query: { watch: "1", ...query } };
    this.#right(request, true);
    let stop: (() => void) | undefined;
    let isStopped = false;
    const start = async (way: Way): Promise<Problem | undefined> => {
      if (isStopped) return undefined;
      const { timers } = this.#options.ports;
      const wire = open(this.#wire(request, way), timers, WATCH_OPEN_TIMEOUT_MS);
      stop = wire.abort;
      const response = await wire.answered;
      if (isFailure(response)) return this.#failed(response);
      if (isStopped) return undefined;
      if (response.statusCode === 200) {
        stop = streamBody(response, handlers);
        return undefined;
      }
      const text = await readAll(response, timers, LIMITS);
      if (typeof text !== "string") return this.#failed(text);
      return readStatus(response.statusCode ?? 0, parsed(text), response.headers["retry-after"]);
    };
    void this.#authenticated(async (way) => {
      const failed = await start(way);
      return failed === undefined ? STARTED : { ok: false, problem: failed };
    }).then((answer) => {
      if (!answer.ok && !isStopped) handlers.ended(answer.problem);
    });
    return () => {
      isStopped = true;
      stop?.();
    };
  }

  /** One try, and after a 401 one more with credentials that are read anew and differ. */
  async #authenticated(attempt: (way: Way) => Promise<Answer>): Promise<Answer> {
    const { access } = this.#options;
    try {
      const way = await access.way();
      const answer = await attempt(way);
      if (answer.ok || answer.problem.kind !== "unauthenticated") return answer;
      const other = await access.refused(way);
      return other === undefined ? answer : await attempt(other);
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return { ok: false, problem: problem("credentials", error.message) };
    }
  }

  async #once(request: KubeRequest, way: Way): Promise<Answer> {
    const answer = await exchange(this.#wire(request, way), this.#options.ports.timers, {
      timeoutMs: request.timeoutMs ?? REQUEST_TIMEOUT_MS,
      answerBytesMax: request.answerBytesMax ?? ANSWER_BYTES_MAX,
    });
    if (isFailure(answer)) return { ok: false, problem: this.#failed(answer) };
    const body = parsed(answer.text);
    if (answer.status >= 400)
      return { ok: false, problem: readStatus(answer.status, body, answer.retryAfter) };
    if (body === undefined || answer.status < 200 || answer.status >= 300) {
      const said = `answered ${answer.status} with ${answer.text.length} characters that are no JSON`;
      return { ok: false, problem: problem("unreadable", said, answer.status) };
    }
    return { ok: true, status: answer.status, body };
  }

  #wire(request: KubeRequest, { agent, material }: Way): HttpRequest {
    const query = request.query === undefined ? "" : `?${new URLSearchParams(request.query)}`;
    const isText = request.body !== undefined;
    return {
      agent,
      server: this.#options.access.source.server,
      method: request.method,
      path: `${pathOf(request.target)}${query}`,
      headers: {
        ...material.headers,
        ...(isText ? { "content-type": request.contentType ?? "application/json" } : {}),
      },
      body: isText ? JSON.stringify(request.body) : undefined,
    };
  }

  #reached(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    for (const run of [...this.#waiting]) run();
  }

  #failed(failure: HttpFailure): Problem {
    if (failure.kind !== "too-large") this.#isAway = true;
    if (failure.kind === "unreachable") this.#options.access.distrust();
    const where = this.#options.access.source.server;
    return problem(
      failure.kind === "too-large" ? "too-large" : "unreachable",
      `${where}: ${failure.message}`,
    );
  }

  #right(request: KubeRequest, isWatch: boolean): Right {
    const right = rightOf(request.method, request.target, isWatch);
    assert(
      this.#allowed?.has(textOfRight(right)) !== false,
      `${textOfRight(right)} (for ${textOf(request.target)}) is not in the table of rights`,
    );
    return right;
  }
}

const LIMITS = { timeoutMs: REQUEST_TIMEOUT_MS, answerBytesMax: ANSWER_BYTES_MAX };
const STARTED: Answer = { ok: true, status: 200, body: undefined };

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
