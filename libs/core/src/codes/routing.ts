/** 4xxx: Routing and liveness. */
import { type CodeEntry, entry } from "./entry.ts";

export const ROUTING_CODES = {
  HSA4001: entry(
    "unreachable-gateway",
    69,
    503,
    "This importer cannot reach a cluster's gateway although its control lease is alive.",
    "Look at the stage (TCP, TLS, SAN, HTTP) in `hansa get links`; other importers are not affected.",
  ),
  HSA4002: entry(
    "stale",
    79,
    200,
    "A cluster's control lease is lost but its gateway answers: endpoints are kept, frozen and demoted.",
    "Restore its agent or its way to NATS.",
  ),
  HSA4003: entry(
    "self-doubt",
    79,
    200,
    "This agent is itself sick (most probes fail, its loop lags or its own bus is down): it withdraws nothing.",
    "Look at this cluster's network and load first.",
  ),
  HSA4004: entry(
    "name-too-long",
    65,
    400,
    "The export's SNI would exceed 63 per label or 253 in all (NameTooLong).",
    "Shorten service, namespace or port name.",
  ),
  HSA4005: entry(
    "conflict",
    79,
    200,
    "Exporters of one service disagree; the oldest export wins.",
    "Make the exports agree; the message names field, value and clusters.",
  ),
  HSA4006: entry(
    "no-exporter",
    79,
    200,
    "No live exporter offers the service.",
    "Check `hansa describe service`.",
  ),
  HSA4007: entry(
    "denied",
    79,
    403,
    "No allow lets this caller reach this service.",
    "Add an allow in the exporting cluster.",
  ),
  HSA4008: entry(
    "lost",
    79,
    200,
    "A cluster's lease and its gateway are both lost: its endpoints are withdrawn here.",
    "Restore the cluster; it returns by itself.",
  ),
  HSA4009: entry(
    "no-address",
    65,
    400,
    "A service has endpoints that cannot be exported (no sidecar and no gateway mode, or an address outside the grant).",
    "Give them a sidecar or a granted address.",
  ),
  HSA4010: entry(
    "cluster-set-ips-used-up",
    75,
    503,
    "No address is left in the pool of cluster-set IPs: imports wait without one.",
    "Give the agent a larger `clusterSetIps` range; addresses of ended imports come back after ten minutes.",
  ),
  HSA4011: entry(
    "foreign-import",
    75,
    409,
    "A ServiceImport of this name was made by somebody else; Hansa leaves it as it is.",
    "See who made it; once it is deleted, Hansa makes its own.",
  ),
  HSA4012: entry(
    "host-name-not-resolved",
    75,
    503,
    "A gateway's host name is not resolved by the agent's name servers: others keep dialling its last good addresses.",
    "Ask the same name server (`nslookup` in the agent's network); `nameServers` in agent.yaml names others.",
  ),
} as const satisfies Record<string, CodeEntry>;
