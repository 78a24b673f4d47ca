/** Which version an API server is of, and what its clock says: asked before anything is installed. */
import type { Access } from "../config/access.ts";
import type { KubePorts } from "../ports.ts";
import { exchange, isFailure } from "./http.ts";
import { ANSWER_BYTES_MAX, CHECK_TIMEOUT_MS } from "./limits.ts";
import { type Problem, problem, readStatus } from "./problem.ts";

export type ServerInfo =
  /** `clockMs`: its Date header, whole seconds; null where a proxy took it away. */
  | { readonly ok: true; readonly version: string; readonly clockMs: number | null }
  | { readonly ok: false; readonly problem: Problem };

export async function serverInfo(access: Access, { timers }: Pick<KubePorts, "timers">): Promise<ServerInfo> {
  const { agent, material } = await access.way();
  const { server } = access.source;
  const answer = await exchange(
    { agent, server, method: "GET", path: "/version", headers: material.headers },
    timers,
    {
      timeoutMs: CHECK_TIMEOUT_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
    },
  );
  if (isFailure(answer))
    return { ok: false, problem: problem("unreachable", `${server}: ${answer.message}`) };
  const body = parsed(answer.text);
  if (answer.status !== 200)
    return { ok: false, problem: readStatus(answer.status, body, answer.retryAfter) };
  const version = (body as { readonly gitVersion?: unknown } | undefined)?.gitVersion;
  if (typeof version !== "string")
    return { ok: false, problem: problem("unreadable", `${server}/version: says no version`) };
  const clockMs = Date.parse(answer.date ?? "");
  return { ok: true, version, clockMs: Number.isNaN(clockMs) ? null : clockMs };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
