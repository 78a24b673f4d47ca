/** What has to hold before anything is installed: looked at all at once, so that one run tells everything that is missing. */
import { HansaError, systemTimers } from "@hansa/core";
import { type PathResult, pathTo, probePath } from "@hansa/identity";
import { AGENT_RULES, problemError, type Resource } from "@hansa/kube";
import { list, object, text } from "../shell/api.ts";
import { duration } from "../shell/output.ts";
import { NO_COREFILE, readCorefile } from "./cluster-dns.ts";
import type { KubeDoor } from "./door.ts";
import { type Manifest, resourceOf } from "./objects.ts";
import { NAMESPACE } from "./place.ts";
import type { Settings } from "./settings.ts";

/** Native sidecars and `preStop.sleep` are on by default from here. */
const MINOR_MIN = 30;
/** SVIDs are backdated by 12 minutes: 5 on both sides, and their round trip. */
const SKEW_MAX_MS = 5 * 60_000;
const REACH_TIMEOUT_MS = 3000;

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly message: string;
  /** What it needs is not this machine's to judge. */
  readonly isAdvice?: boolean;
}

const ACCESS_REVIEWS: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "selfsubjectaccessreviews",
  namespaced: false,
};
const STORAGE_CLASSES: Resource = {
  group: "storage.k8s.io",
  version: "v1",
  plural: "storageclasses",
  namespaced: false,
};
const DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";

export async function preflight(
  door: KubeDoor,
  settings: Settings,
  manifests: readonly Manifest[],
  nowMs: () => number,
): Promise<Finding[]> {
  const server = await serverFindings(door, nowMs);
  const found = await Promise.all([
    rightFindings(door, [...wantedRights(manifests), ...(settings.patchDns ? [PATCH_DNS] : [])]),
    storageFindings(door, settings),
    dnsFindings(door, settings),
    reachFindings(settings),
  ]);
  return [...server, ...found.flat()];
}

/** Throws HSA7040 with every finding. */
export function mustPass(context: string, findings: readonly Finding[]): void {
  const wrong = findings.filter(({ ok, isAdvice }) => !ok && isAdvice !== true);
  if (wrong.length > 0)
    throw new HansaError(
      "HSA7040",
      `context ${context}: ${wrong.map(({ check, message }) => `${check}: ${message}`).join("; ")}`,
    );
}

async function serverFindings(door: KubeDoor, nowMs: () => number): Promise<Finding[]> {
  const askedMs = nowMs();
  const info = await door.server();
  if (!info.ok) throw problemError(info.problem, `context ${door.context}`);
  const heardMs = nowMs();
  const version = versionFinding(info.version);
  if (info.clockMs === null) return [version];
  return [version, clockFinding(info.clockMs - (askedMs + heardMs) / 2)];
}

export function versionFinding(version: string): Finding {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const ok = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= MINOR_MIN);
  const message = ok ? version : `is ${version}; needs v1.${MINOR_MIN} or newer`;
  return { check: "version", ok, message };
}

/** The header has whole seconds. */
export function clockFinding(offsetMs: number): Finding {
  const ok = Math.abs(offsetMs) <= SKEW_MAX_MS;
  const off = duration(Math.abs(offsetMs));
  const message = ok
    ? `within ${off}`
    : `its clock is ${off} ${offsetMs > 0 ? "ahead" : "behind"}; certificates bear 5 m`;
  return { check: "clock", ok, message };
}

interface Wanted {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly namespace: string;
}

/** What is applied, and what the agent gets: nobody may grant rights that he does not have (RBAC, "Privilege escalation"). */
export function wantedRights(manifests: readonly Manifest[]): Wanted[] {
  const applied = manifests.flatMap((manifest) => {
    const { group, plural, namespaced } = resourceOf(manifest);
    return ["create", "patch"].map((verb) => ({
      group,
      resource: plural,
      verb,
      namespace: namespaced ? NAMESPACE : "",
    }));
  });
  const granted = AGENT_RULES.flatMap(({ group, resource, verbs, scope }) =>
    verbs.map((verb) => ({ group, resource, verb, namespace: scope === "own" ? NAMESPACE : "" })),
  );
  const all = [...applied, ...granted].map((right) => [JSON.stringify(right), right] as const);
  return [...new Map(all).values()];
}

const PATCH_DNS: Wanted = { group: "", resource: "configmaps", verb: "patch", namespace: "kube-system" };

async function dnsFindings(door: KubeDoor, { patchDns }: Settings): Promise<Finding[]> {
  if (!patchDns) return [];
  const ok = (await readCorefile(door)) !== undefined;
  return [{ check: "dns", ok, message: ok ? "CoreDNS" : NO_COREFILE }];
}

async function rightFindings(door: KubeDoor, wanted: readonly Wanted[]): Promise<Finding[]> {
  const answers = await Promise.all(wanted.map((right) => mayI(door, right)));
  const missing = wanted.filter((_, index) => answers[index] !== true);
  const names = missing.map(
    ({ verb, resource, group }) => `${verb} ${resource}${group === "" ? "" : `.${group}`}`,
  );
  const message =
    missing.length === 0
      ? `${wanted.length} rights`
      : `this context may not ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}`;
  return [{ check: "rights", ok: missing.length === 0, message }];
}

async function mayI(door: KubeDoor, { group, resource, verb, namespace }: Wanted): Promise<boolean> {
  const [plural = "", subresource] = resource.split("/");
  const resourceAttributes = {
    group,
    resource: plural,
    verb,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === "" ? {} : { namespace }),
  };
  const review = await door.send({
    method: "POST",
    target: { resource: ACCESS_REVIEWS },
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes },
    },
  });
  return object(review.status).allowed === true;
}

async function storageFindings(door: KubeDoor, { ephemeral, storageClass }: Settings): Promise<Finding[]> {
  if (ephemeral)
    return [{ check: "storage", ok: true, message: "none: the keys go with the pod", isAdvice: true }];
  const answer = await door.send({ method: "GET", target: { resource: STORAGE_CLASSES } });
  const classes = list(answer.items).map(({ metadata }) => object(metadata));
  const found = classes.find(({ name, annotations }) =>
    storageClass === "" ? object(annotations)[DEFAULT_CLASS] === "true" : name === storageClass,
  );
  const what = storageClass === "" ? "default storage class" : `storage class ${storageClass}`;
  const known = classes.map(({ name }) => text(name)).join(", ") || "none";
  const message =
    found === undefined
      ? `there is no ${what} for the agent's keys (there is: ${known}); name one with --storage-class, or lose them with the pod by --ephemeral`
      : text(found.name);
  return [{ check: "storage", ok: found !== undefined, message }];
}

/** From this machine: the cluster may see more or less. */
async function reachFindings({ hub, nats }: Settings): Promise<Finding[]> {
  return await Promise.all(
    [hub, ...nats].map(async (url) =>
      reachFinding(
        url === hub ? "hub" : "nats",
        url,
        await probePath({ ...pathTo(url), timeoutMs: REACH_TIMEOUT_MS }, systemTimers),
      ),
    ),
  );
}

export function reachFinding(check: string, url: string, found: PathResult): Finding {
  const message = {
    passes: () => url,
    narrow: () =>
      `${url} answers, but packets of full size from this machine are lost on the way (HSA1013); the cluster may have another way`,
    silent: () => `${url} does not answer this machine; the cluster may reach it all the same`,
  }[found.kind]();
  return { check, ok: found.kind === "passes", message, isAdvice: true };
}
