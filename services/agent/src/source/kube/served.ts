/** What the API server serves of the kinds that may be missing. Which version of the MCS API the API server serves: the newest that both know. Waits until there is one. */
import {
  type KubeClient,
  type KubePorts,
  type McsVersion,
  type Resource,
  serviceExports,
  textOf,
} from "@hansa/kube";

const VERSIONS: readonly McsVersion[] = ["v1beta1", "v1alpha1"];
const AGAIN_MS = 2000;

/** Resolves once a version is served; undefined after `isStopped`. */
export async function servedMcsVersion(
  client: Pick<KubeClient, "send">,
  ports: KubePorts,
  isStopped: () => boolean,
): Promise<McsVersion | undefined> {
  let told = "";
  while (!isStopped()) {
    let problem = "";
    for (const version of VERSIONS) {
      const answer = await client.send({
        method: "GET",
        target: { resource: serviceExports(version) },
        query: { limit: "1" },
      });
      if (answer.ok) return version;
      problem = answer.problem.message;
      // Only what is not served is a reason to ask for an older one.
      if (answer.problem.kind !== "absent") break;
    }
    if (problem !== told)
      ports.log.warn("kube: the MCS API cannot be read; waiting for it", { code: "HSA7005", problem });
    told = problem;
    await ports.timers.sleep(AGAIN_MS);
  }
  return undefined;
}

/** Whether a kind is served. Waits while the API server does not say; false after `isStopped`. */
export async function isServed(
  client: Pick<KubeClient, "send">,
  ports: KubePorts,
  resource: Resource,
  isStopped: () => boolean,
): Promise<boolean> {
  while (!isStopped()) {
    const answer = await client.send({ method: "GET", target: { resource }, query: { limit: "1" } });
    if (answer.ok) return true;
    if (answer.problem.kind === "absent") {
      ports.log.warn(
        "kube: a kind of Hansa's own is not served; it is taken for empty until the next start",
        {
          code: "HSA7005",
          resource: textOf({ resource }),
        },
      );
      return false;
    }
    await ports.timers.sleep(AGAIN_MS);
  }
  return false;
}
