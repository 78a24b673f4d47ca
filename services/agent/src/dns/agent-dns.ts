/** The DNS server as part of an agent: what it answers from, and when. Without `dns` in the configuration there is none. */
import type { ClusterName } from "@hansa/core";
import type { RegisterRef } from "@hansa/model";
import type { AgentConfig } from "../config.ts";
import type { AgentCore } from "../core.ts";
import { ClusterSetIps } from "../mcs/cluster-set-ips.ts";
import { CurrentImports } from "../mcs/current-imports.ts";
import { Imports } from "../mcs/imports.ts";
import type { Ports } from "../ports.ts";
import type { DnsIndex } from "./imports.ts";
import { DnsServer } from "./server.ts";

export interface AgentDnsOptions {
  readonly config: AgentConfig["dns"];
  readonly cluster: ClusterName;
  readonly core: Pick<AgentCore, "reader" | "watch">;
  readonly ports: Ports;
  /** The view is whole: restored, or read to the logs' end. */
  readonly isWhole: () => boolean;
  /** Of an agent in Kubernetes: its imports have addresses, and it keeps them up to date itself. */
  readonly imports?: DnsIndex | undefined;
}

export class AgentDns {
  readonly #options: AgentDnsOptions;
  readonly #imports: CurrentImports;
  #server: DnsServer | undefined;

  constructor(options: AgentDnsOptions) {
    this.#options = options;
    const { core, cluster, ports, isWhole } = options;
    const isLost = (peer: string): boolean => core.watch.link(peer)?.state === "lost";
    const imports = new Imports({
      input: { fed: core.reader, importer: cluster, isLost },
      // Without Kubernetes nothing takes up a connection to a cluster-set address, so there are none.
      ips: new ClusterSetIps({ pools: [], isTaken: () => false }),
      isSynced: isWhole,
      hasNamespace: () => true,
      monotonicMs: () => ports.clock.monotonicMs(),
    });
    this.#imports = new CurrentImports(imports, core.reader, cluster);
  }

  changed(refs: readonly RegisterRef[]): void {
    if (this.#server !== undefined) this.#imports.changed(refs);
  }

  /** Throws HSA1012 where an address cannot be had. */
  async start(): Promise<void> {
    const { config, ports, imports } = this.#options;
    if (config === undefined) return;
    const index = imports ?? this.#imports;
    this.#server = await DnsServer.start({ listen: config.listen, index, ports });
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }
}
