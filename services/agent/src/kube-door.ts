/** An agent's way to its API server, with its election: before anything else of the agent is there. */
import { hostname } from "node:os";
import { HansaError, hex } from "@hansa/core";
import { Access, inCluster, KubeClient, type KubePorts, kubeconfig, LeaseElection } from "@hansa/kube";
import type { AgentConfig } from "./config.ts";
import { readJson, writeJson } from "./disk.ts";
import type { Election } from "./log/writer-lock.ts";
import type { Disk } from "./ports.ts";

export type KubernetesConfig = NonNullable<AgentConfig["source"]["kubernetes"]>;

const LEASE = "hansa-agent";
const CANDIDATE_FILE = "kube-candidate.json";

/** A way to the API server, before anything else of the agent is there. */
export interface KubeDoor {
  readonly config: KubernetesConfig;
  readonly access: Access;
  readonly client: KubeClient;
  readonly election: Election;
  /** undefined: no gateway mode. */
  readonly entry: Entry | undefined;
}

/** Throws HSA7004 where the credentials cannot be read, HSA1004 where gateway mode has no address. */
export async function openKube(config: KubernetesConfig, ports: KubePorts, disk: Disk): Promise<KubeDoor> {
  const { kubeconfig: path, context } = config;
  const inPod = path === undefined && context === undefined;
  const source = inPod ? await inCluster(process.env) : await kubeconfig({ path, context });
  const access = new Access(source, ports);
  const client = new KubeClient({ access, ports });
  const namespace = config.leaseNamespace ?? source.namespace;
  // Whoever stands holds this folder's lock (agent.ts), so nobody else stands under its name.
  const identity = readJson(disk, CANDIDATE_FILE) ?? hex(ports.random.bytes(8));
  writeJson(disk, CANDIDATE_FILE, identity);
  const election = new LeaseElection({
    client,
    ports,
    namespace,
    name: LEASE,
    candidate: hostname(),
    identity: String(identity),
  });
  return { config, access, client, election, entry: entryOf(config) };
}

/** Where the gateway takes calls of pods without a proxy. */
type Entry = { readonly addresses: readonly string[] } | { readonly service: string };

function entryOf({ gatewayMode }: KubernetesConfig): Entry | undefined {
  if (gatewayMode === undefined) return undefined;
  const { entryAddress, entryService } = gatewayMode;
  if (entryService !== undefined) return { service: `${entryService.namespace}/${entryService.name}` };
  const address = entryAddress ?? process.env.HANSA_POD_IP;
  if (address !== undefined) return { addresses: [address] };
  throw new HansaError(
    "HSA1004",
    "source.kubernetes.gatewayMode: must name entryAddress or entryService where HANSA_POD_IP does not say the pod's own address",
  );
}
