/** Metrics of the hub beside the common catalogue. */
import type { MetricDefinition } from "@hansa/telemetry";

export const HUB_METRICS: Readonly<Record<string, MetricDefinition>> = {
  hansa_hub_leader: { kind: "gauge", help: "1 while this process leads", labels: [] },
  hansa_hub_read_only: {
    kind: "gauge",
    help: "1 while the archive is behind the logs (HSA2012)",
    labels: [],
  },
  hansa_hub_position: { kind: "gauge", help: "Position of the archive", labels: [] },
  hansa_hub_batch_records: { kind: "gauge", help: "Records in the last committed batch", labels: [] },
  hansa_hub_events_total: { kind: "counter", help: "Events archived", labels: ["source"] },
  hansa_hub_gaps: { kind: "gauge", help: "Holes in logs that wait to be filled", labels: [] },
  hansa_hub_members: { kind: "gauge", help: "Members by state", labels: ["state"] },
  hansa_hub_beat_age_seconds: {
    kind: "gauge",
    help: "Time since a member's last heartbeat",
    labels: ["source"],
  },
  hansa_hub_equivocations_total: {
    kind: "counter",
    help: "Two records for one place of a log",
    labels: ["source"],
  },
};
