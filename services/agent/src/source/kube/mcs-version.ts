/** Which version of the MCS API the API server serves: the newest that both know. Waits until there is one. */
import { type KubeClient, type KubePorts, type McsVersion, serviceExports } from "@hansa/kube";

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
