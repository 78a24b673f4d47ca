/**
 * Whom the CLI talks to: the hub, the agents and their credentials, out of one file of mode 0600.
 * `hansa lab up` writes one for its checkout; others are named by --context or HANSA_CONTEXT. Calls nobody: api.ts does.
 */
import { readFileSync, statSync } from "node:fs";
import { HansaError } from "@hansa/core";
import type { ApiTarget } from "@hansa/identity";
import { labPaths } from "../../../../deploy/tools/lab-paths.ts";
import type { KubeDoor } from "../kube/door.ts";

export interface Context {
  readonly file: string;
  readonly federation: string;
  readonly hub: ApiTarget;
  readonly agents: Readonly<Record<string, ApiTarget>>;
  /** PKCS#8 PEM files of operator keys at hand (the lab's only operator; none in production). */
  readonly operatorKeys: readonly string[];
  /** Where `--context` named one of Kubernetes: its cluster, whose agent is the only one asked. */
  readonly kubernetes?: KubeDoor;
}

/** Throws HSA1012 where there is no such file, HSA3002 where others may read it, HSA1004 where it is not a context. */
export function loadContext(named: string | undefined): Context {
  const file = named ?? process.env.HANSA_CONTEXT ?? labPaths().credentials;
  return parseContext(readPrivate(file), file, process.env.HANSA_TOKEN);
}

/** `token` stands in for the hub's (HANSA_TOKEN). */
export function parseContext(text: string, file: string, token?: string): Context {
  const problem = (what: string, cause?: unknown) =>
    new HansaError("HSA1004", `${file}: is not a context file: ${what}`, { cause });
  let document: Record<string, unknown>;
  try {
    document = asObject(JSON.parse(text)) ?? {};
  } catch (cause) {
    throw problem((cause as Error).message, cause);
  }
  const target = (place: string, value: unknown): ApiTarget => {
    const { url, caPem, token: own } = asObject(value) ?? {};
    if (typeof url !== "string" || !url.startsWith("https://"))
      throw problem(`${place}.url: must be https://host:port`);
    if (typeof caPem !== "string") throw problem(`${place}.caPem: must be the PEM of the API's CA`);
    if (typeof own !== "string") throw problem(`${place}.token: must be a token ("" for none)`);
    return { url, caPem, token: own };
  };
  const { federation, operatorKeys = [] } = document;
  if (typeof federation !== "string") throw problem("federation: must be the federation's name");
  if (!Array.isArray(operatorKeys) || !operatorKeys.every((key) => typeof key === "string"))
    throw problem("operatorKeys: must be a list of files");
  const hub = target("hub", document.hub);
  const agents = Object.entries(asObject(document.agents) ?? {}).map(
    ([cluster, value]) => [cluster, target(`agents.${cluster}`, value)] as const,
  );
  return {
    file,
    federation,
    hub: token === undefined ? hub : { ...hub, token },
    agents: Object.fromEntries(agents),
    operatorKeys,
  };
}

export function agentOf(context: Context, cluster: string): ApiTarget {
  const agent = Object.hasOwn(context.agents, cluster) ? context.agents[cluster] : undefined;
  if (agent) return agent;
  const known = Object.keys(context.agents).join(", ") || "none";
  throw new HansaError(
    "HSA1005",
    `${cluster}: the context knows no agent of this cluster; it knows ${known}`,
  );
}

function readPrivate(file: string): string {
  let mode: number;
  try {
    mode = statSync(file).mode;
  } catch (cause) {
    throw new HansaError(
      "HSA1012",
      `${file}: no such context file; start a lab (\`hansa lab up --detach\`), or name one with --context or HANSA_CONTEXT`,
      { cause },
    );
  }
  if ((mode & 0o077) !== 0)
    throw new HansaError("HSA3002", `${file}: others may read these credentials; chmod 600 it`);
  return readFileSync(file, "utf8");
}

const asObject = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
