/** What the admin API sees of the agent. The composition in agent.ts satisfies it. */
import type { ClusterName, TrustDomain } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import type { Authority } from "@hansa/identity";
import type { MetricsRegistry } from "@hansa/telemetry";
import type { AgentConfig } from "../config.ts";
import type { AgentCore } from "../core.ts";
import type { SvidPool } from "../identity/svids.ts";
import type { Outbox } from "../log/outbox.ts";
import type { Ports } from "../ports.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { ProxySockets } from "../proxy/sockets.ts";
import type { WithoutAddress } from "../source/facts.ts";
import type { SourceStatus } from "../source/file-source.ts";

export interface AgentView {
  readonly config: AgentConfig;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly ports: Ports;
  readonly metrics: MetricsRegistry;
  readonly core: AgentCore;
  readonly plane: DataPlane;
  readonly svids: SvidPool;
  readonly authority: Authority;
  readonly outbox: Outbox;
  readonly sockets: ProxySockets;
  readonly source: { readonly status: SourceStatus };
  /** Endpoints that nobody can dial, by service (HSA4009). */
  undialable(): readonly WithoutAddress[];
  bundle(): BundleValue;
  /** Reasons why this agent is not ready; empty = ready. */
  notReady(): string[];
}
