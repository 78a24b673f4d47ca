/**
 * What went wrong with a request, as a value: an HTTP status and a `Status` object (Kubernetes API concepts) become one of
 * a few kinds that callers decide by. Pure.
 */
import { type Code, HansaError } from "@hansa/core";

export type ProblemKind =
  /** No answer: refused, reset, timed out, or TLS failed. */
  | "unreachable"
  | "unauthenticated"
  /** The own credentials cannot be read; nothing was sent. */
  | "credentials"
  | "forbidden"
  /** 404: the object, or the kind, is not there. */
  | "absent"
  /** 409. */
  | "conflict"
  /** 400 and 422. */
  | "invalid"
  /** 410: the version asked for is compacted. */
  | "gone"
  /** 504 with the cause ResourceVersionTooLarge: the version asked for is from the future. */
  | "version-too-large"
  /** 429, and 503 with Retry-After. */
  | "throttled"
  /** The answer is longer than its limit. */
  | "too-large"
  /** The answer is not what the API server would say. */
  | "unreadable"
  /** Every other 4xx and 5xx. */
  | "server";

export interface Cause {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

export interface Problem {
  readonly kind: ProblemKind;
  /** HTTP status; 0 where none came. */
  readonly status: number;
  readonly message: string;
  readonly causes: readonly Cause[];
  readonly retryAfterMs?: number;
}

const CODE_OF: Readonly<Record<ProblemKind, Code>> = {
  unreachable: "HSA7001",
  unauthenticated: "HSA7002",
  credentials: "HSA7004",
  forbidden: "HSA7003",
  absent: "HSA7005",
  conflict: "HSA7007",
  invalid: "HSA7006",
  gone: "HSA7008",
  "version-too-large": "HSA7008",
  throttled: "HSA7009",
  "too-large": "HSA7008",
  unreadable: "HSA7008",
  server: "HSA7009",
};

export const isProblem = (value: object): value is Problem => "causes" in value;

export const codeOf = (problem: Problem): Code => CODE_OF[problem.kind];

/** `where` = the request, for people: `list services`. */
export const problemError = (problem: Problem, where: string): HansaError =>
  new HansaError(codeOf(problem), `${where}: ${problem.message}`, {
    details: { status: problem.status, causes: problem.causes },
  });

const PASSING: ReadonlySet<ProblemKind> = new Set([
  "unreachable",
  "unauthenticated",
  "credentials",
  "throttled",
  "server",
  "unreadable",
]);

/** Whether the same request may succeed later without anybody changing it. */
export const isPassing = ({ kind }: Problem): boolean => PASSING.has(kind);

export const problem = (kind: ProblemKind, message: string, status = 0): Problem => ({
  kind,
  status,
  message,
  causes: [],
});

const MESSAGE_CHARS_MAX = 1000;

/** `body` = the parsed JSON of an answer with a status ≥ 400, or anything else where it was not JSON. */
export function readStatus(status: number, body: unknown, retryAfter: string | undefined): Problem {
  const said = (typeof body === "object" && body !== null ? body : {}) as {
    readonly reason?: unknown;
    readonly message?: unknown;
    readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown } | null;
  };
  const causes = Array.isArray(said.details?.causes) ? said.details.causes.map(readCause) : [];
  const message =
    typeof said.message === "string" && said.message !== "" ? said.message : `answered ${status}`;
  const retryAfterMs = 1000 * Number(retryAfter ?? said.details?.retryAfterSeconds ?? Number.NaN);
  const waits = Number.isFinite(retryAfterMs) && retryAfterMs > 0;
  return {
    kind: kindOf(status, said.reason, causes, waits),
    status,
    message: message.slice(0, MESSAGE_CHARS_MAX),
    causes,
    ...(waits ? { retryAfterMs } : {}),
  };
}

function kindOf(status: number, reason: unknown, causes: readonly Cause[], waits: boolean): ProblemKind {
  if (causes.some((cause) => cause.reason === "ResourceVersionTooLarge")) return "version-too-large";
  if (status === 410 || reason === "Expired" || reason === "Gone") return "gone";
  if (status === 401) return "unauthenticated";
  if (status === 403) return "forbidden";
  if (status === 404) return "absent";
  if (status === 409) return "conflict";
  if (status === 400 || status === 422) return "invalid";
  if (status === 429 || (status === 503 && waits)) return "throttled";
  return "server";
}

function readCause(cause: unknown): Cause {
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const { reason, field, message } = (typeof cause === "object" && cause !== null ? cause : {}) as Record<
    string,
    unknown
  >;
  return { reason: text(reason), field: text(field), message: text(message) };
}
