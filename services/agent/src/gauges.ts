/** Gauges of an agent: what waits where, and whether the hub is heard. */
import { LANES } from "@hansa/events";
import type { MetricsRegistry } from "@hansa/telemetry";
import { type AgentCore, HUB_SILENT_MS } from "./core.ts";
import type { SvidPool } from "./identity/svids.ts";
import { OUTBOX_RECORDS_MAX, type Outbox } from "./log/outbox.ts";
import type { DataPlane } from "./proxy/plane.ts";

interface Measured {
  readonly core: AgentCore;
  readonly plane: DataPlane;
  readonly svids: SvidPool;
  readonly outbox: Outbox;
  readonly metrics: MetricsRegistry;
}

export function measure({ core, plane, svids, outbox, metrics }: Measured): void {
  svids.measure();
  metrics.gauge("hansa_queue_depth", outbox.depth(), { queue: "outbox" });
  metrics.gauge("hansa_queue_bound", OUTBOX_RECORDS_MAX, { queue: "outbox" });
  metrics.gauge("hansa_queue_depth", plane.propagation.waiting, { queue: "unacked-builds" });
  for (const lane of LANES)
    metrics.gauge("hansa_queue_depth", core.own.pending(lane), { queue: `pending-${lane}` });
  metrics.gauge("hansa_hub_up", core.hubSilentMs < HUB_SILENT_MS ? 1 : 0);
}
