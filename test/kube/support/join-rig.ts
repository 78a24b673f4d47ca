/** A real hub, Kubernetes clusters whose pods reach it, and `hansa` as a user types it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Kube, startKube } from "../../../deploy/tools/kube/kube.ts";
import { HubRig } from "../../contract/hub-rig.ts";
import { type Ran, runHansa } from "./hansa.ts";

const HUB_PORT = 8443;
const NATS_PORT = 4222;

export class JoinRig {
  readonly hub: HubRig;
  readonly kube: Kube;
  readonly context: string;

  private constructor(hub: HubRig, kube: Kube, context: string) {
    this.hub = hub;
    this.kube = kube;
    this.context = context;
  }

  static async start(clusters: readonly string[]): Promise<JoinRig> {
    const nodes = clusters.map((_, index) => `10.${64 + index}.0.1`);
    const hub = await HubRig.start({ config: { api: { hosts: ["127.0.0.1", ...nodes] } } });
    const forwards = [
      { port: HUB_PORT, to: `127.0.0.1:${hub.apiPort}` },
      { port: NATS_PORT, to: new URL(hub.nats.url).host },
    ];
    const kube = await startKube({ clusters, nodes: { forwards } });
    const { url, caPem, token } = hub.target();
    const key = join(hub.folder, "operator.pem");
    const context = join(hub.folder, "context.json");
    writeFileSync(key, hub.operator.pkcs8, { mode: 0o600 });
    const document = { federation: "lab.hansa", hub: { url, caPem, token }, agents: {}, operatorKeys: [key] };
    writeFileSync(context, JSON.stringify(document), { mode: 0o600 });
    return new JoinRig(hub, kube, context);
  }

  hansa(...args: readonly string[]): Promise<Ran> {
    return runHansa(args, { KUBECONFIG: this.kube.kubeconfig, HANSA_CONTEXT: this.context });
  }

  /** Where the pods of a cluster reach hub and NATS, and what the cluster is. */
  flags(cluster: string): string[] {
    const { nodeIp, loadBalancerCidr } = this.kube.cluster(cluster).options.plan;
    const reach = ["--hub", `https://${nodeIp}:${HUB_PORT}`, "--nats", `nats://${nodeIp}:${NATS_PORT}`];
    return ["--context", cluster, "--region", `${cluster}-1`, "--cidrs", loadBalancerCidr, ...reach];
  }

  async token(cluster: string, name = cluster): Promise<string> {
    const { loadBalancerCidr } = this.kube.cluster(cluster).options.plan;
    const { stdout, stderr } = await this.hansa(
      ...["cluster", "token", name, "--region", `${cluster}-1`, "--cidrs", loadBalancerCidr],
    );
    if (stdout === "") throw new Error(stderr);
    return stdout.trim();
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.hub.stop();
  }
}
