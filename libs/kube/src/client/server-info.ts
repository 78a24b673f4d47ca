/** What an API server says of itself: its version, its clock, and which versions of a kind it serves. Every user may ask. */
import type { Access } from "../config/access.ts";
import type { KubePorts } from "../ports.ts";
import type { Resource } from "../resource.ts";
import { exchange, isFailure } from "./http.ts";
import { ANSWER_BYTES_MAX, CHECK_TIMEOUT_MS } from "./limits.ts";
import { isProblem, type Problem, problem, readStatus } from "./problem.ts";

export type ServerInfo =
  /** `clockMs`: its Date header, whole seconds; null where a proxy took it away. */
  | { readonly ok: true; readonly version: string; readonly clockMs: number | null }
  | { readonly ok: false; readonly problem: Problem };

type Asks = Pick<KubePorts, "timers">;

export async function serverInfo(access: Access, ports: Asks): Promise<ServerInfo> {
  const answer = await get(access, ports, "/version");
  if (isProblem(answer)) return { ok: false, problem: answer };
  const { gitVersion } = (answer.body ?? {}) as { readonly gitVersion?: unknown };
  if (typeof gitVersion !== "string")
    return { ok: false, problem: problem("unreadable", `${access.source.server}/version: says no version`) };
  const clockMs = Date.parse(answer.date ?? "");
  return { ok: true, version: gitVersion, clockMs: Number.isNaN(clockMs) ? null : clockMs };
}

/** Versions under which it has a kind, also those that nobody here knows; none = there is no such kind. */
export async function servedVersions(
  access: Access,
  ports: Asks,
  { group, plural }: Resource,
): Promise<string[] | Problem> {
  const found = await get(access, ports, `/apis/${group}`);
  if (isProblem(found)) return found.kind === "absent" ? [] : found;
  const { versions = [] } = (found.body ?? {}) as { readonly versions?: readonly { version: string }[] };
  const served: string[] = [];
  for (const { version } of versions) {
    const kinds = await get(access, ports, `/apis/${group}/${version}`);
    if (isProblem(kinds)) {
      if (kinds.kind === "absent") continue;
      return kinds;
    }
    const { resources = [] } = (kinds.body ?? {}) as { readonly resources?: readonly { name: string }[] };
    if (resources.some(({ name }) => name === plural)) served.push(version);
  }
  return served;
}

async function get(
  access: Access,
  { timers }: Asks,
  path: string,
): Promise<{ readonly body: unknown; readonly date: string | undefined } | Problem> {
  const { agent, material } = await access.way();
  const { server } = access.source;
  const answer = await exchange({ agent, server, method: "GET", path, headers: material.headers }, timers, {
    timeoutMs: CHECK_TIMEOUT_MS,
    answerBytesMax: ANSWER_BYTES_MAX,
  });
  if (isFailure(answer)) return problem("unreachable", `${server}: ${answer.message}`);
  const body = parsed(answer.text);
  return answer.status === 200
    ? { body, date: answer.date }
    : readStatus(answer.status, body, answer.retryAfter);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
