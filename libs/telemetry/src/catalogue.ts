/** Names, kinds and help texts of every metric. Base units: seconds and bytes. The one list; operators read it. */

export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

const PROPAGATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const counter = (help: string, ...labels: string[]): MetricDefinition => ({ kind: "counter", help, labels });
const gauge = (help: string, ...labels: string[]): MetricDefinition => ({ kind: "gauge", help, labels });
const histogram = (help: string, ...labels: string[]): MetricDefinition => ({
  kind: "histogram",
  help,
  labels,
  buckets: PROPAGATION_BUCKETS,
});

export const METRICS: Readonly<Record<string, MetricDefinition>> = {
  federation_propagation_seconds: histogram(
    "From an event's time to the ACK of the last local Envoy that wants it",
    "source",
    "importer",
  ),
  hansa_build_seconds: histogram("Time to rebuild the resources of the dirty services"),
  hansa_source_lag_records: gauge("Records known to exist (heartbeats) and not folded yet", "source", "lane"),
  hansa_source_degraded: gauge("1 while a source has a gap that could not be filled", "source"),
  hansa_records_total: counter("Records by what the fold did with them", "source", "outcome"),
  hansa_quarantined_total: counter("Records refused under a known key or undecodable", "source", "code"),
  hansa_disputes_total: counter("Claims in heartbeats that a log has another record", "source", "speaker"),
  hansa_published_total: counter("Records published and stored", "lane"),
  hansa_publish_refused_total: counter("Publishes that the fence refused", "lane"),
  hansa_publish_seconds: histogram("From a publish to its acknowledgement", "lane"),
  hansa_queue_depth: gauge("Entries in a bounded queue", "queue"),
  hansa_queue_bound: gauge("Bound of that queue", "queue"),
  hansa_xds_acks_total: counter("Responses that a proxy accepted", "type"),
  hansa_xds_nacks_total: counter("Responses that a proxy refused", "proxy", "type"),
  hansa_xds_refused_total: counter("Streams refused because the node does not own the socket"),
  hansa_xds_admissions_total: counter(
    "Streams of pods' proxies by what became of their credential",
    "outcome",
  ),
  hansa_admission_reviews_total: counter("Objects that the webhooks were asked about", "path", "outcome"),
  hansa_xds_inconsistent_total: counter("Snapshots that failed the consistency check and were not served"),
  hansa_certificate_expiry_seconds: gauge("Time until a certificate ends", "kind"),
  hansa_certificates_issued_total: counter("Certificates issued", "kind"),
  hansa_probe_rtt_seconds: gauge("Round trip of the last good gateway probe", "peer"),
  hansa_probe_failures_total: counter("Failed gateway probes by stage", "peer", "stage"),
  hansa_link_state: gauge("0 normal, 1 unreachable, 2 stale, 3 lost", "peer"),
  hansa_self_doubt: gauge("1 while this agent distrusts its own evidence"),
  hansa_loop_lag_seconds: gauge("Worst delay of the event loop in the last second"),
  hansa_dns_answers_total: counter("Answers of the DNS server", "transport", "rcode"),
  hansa_dns_silent_total: counter("Messages to the DNS server that no answer is due to", "transport"),
  hansa_dns_unsent_total: counter("Answers that the system did not take"),
  hansa_dns_connections: gauge("Open TCP connections to the DNS server"),
  hansa_dns_connections_refused_total: counter("Connections to the DNS server beyond a bound"),
  hansa_host_name_lookups_total: counter("Look-ups of gateways' host names", "outcome"),
  hansa_bus_up: gauge("1 while NATS is connected"),
  hansa_hub_up: gauge("1 while the hub's heartbeat is fresh"),
  hansa_source_reloads_total: counter("Reloads of the file source", "outcome"),
  hansa_kube_unmeshed_endpoints: gauge(
    "Endpoints of exported Services that the mesh cannot dial (no injected proxy)",
  ),
  hansa_service_imports: gauge("Services that this cluster imports"),
  hansa_foreign_service_imports: gauge("ServiceImports that somebody else made and that are left alone"),
  hansa_hub_commit_seconds: histogram("From a record's arrival at the hub to its commit"),
  hansa_hub_lag_records: gauge("Records in the stream that are not committed yet"),
  hansa_kube_requests_total: counter("Requests to the API server by the right they need", "right", "outcome"),
  hansa_kube_objects: gauge("Objects in a synced cache", "resource"),
  hansa_kube_watch_problems_total: counter("Lists and watches that failed", "resource", "kind"),
  hansa_kube_relists_total: counter("Times that everything was listed anew", "resource", "reason"),
  hansa_kube_doubted_lists_total: counter(
    "Lists that lacked half or more and were not believed at once",
    "resource",
  ),
  hansa_kube_unreadable_total: counter("Objects that could not be read", "resource"),
  hansa_kube_callback_failures_total: counter("Changes whose handling failed: a bug", "resource"),
  hansa_kube_credential_reads_total: counter("Readings of the credentials", "outcome"),
  hansa_kube_writes_total: counter("Writes to the API server by what came of them", "outcome"),
  hansa_kube_write_retries_total: counter("Writes that are sent again", "kind"),
  hansa_kube_elected: gauge("1 while this process holds the cluster's Lease"),
  hansa_http_requests_total: counter("Requests of the HTTP API", "route", "status"),
  hansa_http_seconds: histogram("Time to answer a request of the HTTP API", "route"),
};
