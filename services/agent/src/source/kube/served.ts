/**
 * What the API server serves of the kinds that may be missing, or may be there in a version that this agent does not know. Waits rather
 * than take a kind for empty whose objects it only cannot read.
 */
import {
  type Access,
  codeOf,
  isProblem,
  type KubeClient,
  type KubePorts,
  type McsVersion,
  type Resource,
  servedVersions,
  serviceExports,
  textOf,
} from "@hansa/kube";
import { POLICY_KINDS, type PolicyObjectKind } from "./policy-objects.ts";
import { POLICY_RESOURCES } from "./policy-writer.ts";

const VERSIONS: readonly McsVersion[] = ["v1beta1", "v1alpha1"];
const AGAIN_MS = 2000;

export interface Asking {
  readonly client: Pick<KubeClient, "send">;
  readonly access: Access;
  readonly ports: KubePorts;
  readonly isStopped: () => boolean;
  /** What is waited for, with its code; "" once it came. */
  readonly onWait: (problem: string) => void;
}

/** The newest version of the MCS API that both know. Resolves once there is one; undefined after `isStopped`. */
export async function servedMcsVersion(asking: Asking): Promise<McsVersion | undefined> {
  return await untilServed(asking, async () => {
    let problem = "";
    for (const version of VERSIONS) {
      const found = await look(asking, serviceExports(version), VERSIONS);
      if (found.is === "served") return { found: version };
      problem = found.problem;
      // Only what is not served is a reason to ask for an older one.
      if (found.is === "unknown") break;
    }
    return { problem };
  });
}

/** Those of Hansa's own kinds that are served. Without one of them the source works on: it is taken for empty. */
export async function servedPolicies(asking: Asking): Promise<PolicyObjectKind[]> {
  const served: PolicyObjectKind[] = [];
  for (const kind of POLICY_KINDS) if (await isServed(asking, POLICY_RESOURCES[kind])) served.push(kind);
  return served;
}

/** Waits while the API server does not say; false after `isStopped`. */
async function isServed(asking: Asking, resource: Resource): Promise<boolean> {
  const served = await untilServed(asking, async () => {
    const found = await look(asking, resource);
    if (found.is === "served") return { found: true };
    if (found.is !== "absent") return { problem: found.problem };
    asking.ports.log.warn(
      "kube: a kind of Hansa's own is not served; it is taken for empty until the next start",
      { code: "HSA7005", resource: textOf({ resource }) },
    );
    return { found: false };
  });
  return served === true;
}

type Look =
  | { readonly is: "served"; readonly problem: "" }
  | { readonly is: "absent" | "other-version" | "unknown"; readonly problem: string };

async function look(
  { client, access, ports }: Asking,
  resource: Resource,
  known: readonly string[] = [resource.version],
): Promise<Look> {
  const answer = await client.send({ method: "GET", target: { resource }, query: { limit: "1" } });
  if (answer.ok) return { is: "served", problem: "" };
  const { problem } = answer;
  const kind = textOf({ resource });
  if (problem.kind !== "absent")
    return { is: "unknown", problem: `${codeOf(problem)} ${kind}: ${problem.message}` };
  const versions = await servedVersions(access, ports, resource);
  if (isProblem(versions))
    return { is: "unknown", problem: `${codeOf(versions)} ${kind}: ${versions.message}` };
  if (versions.length === 0) return { is: "absent", problem: `HSA7005 ${kind}: is not there` };
  return {
    is: "other-version",
    problem: `HSA7005 ${kind}: is served as ${versions.join(", ")} alone, and this agent reads ${known.join(", ")}`,
  };
}

async function untilServed<Found>(
  { ports, isStopped, onWait }: Asking,
  ask: () => Promise<{ readonly found: Found } | { readonly problem: string }>,
): Promise<Found | undefined> {
  let told = "";
  while (!isStopped()) {
    const asked = await ask();
    if ("found" in asked) {
      onWait("");
      return asked.found;
    }
    if (asked.problem !== told)
      ports.log.warn("kube: a kind cannot be read; waiting for it", { problem: asked.problem });
    told = asked.problem;
    onWait(told);
    await ports.timers.sleep(AGAIN_MS);
  }
  return undefined;
}
