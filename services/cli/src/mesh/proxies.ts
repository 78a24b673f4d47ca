/** Proxies as an agent tells of them: who is connected, what was sent, acknowledged and refused. Pure. */
import { list, number, object, text } from "../shell/api.ts";
import { ago, type Cell } from "../shell/output.ts";

export interface ProxyType {
  /** Short name: `Cluster`, `ClusterLoadAssignment`, … */
  readonly type: string;
  /** Revisions of the agent's configuration. */
  readonly sent: number;
  readonly acked: number;
  /** Nothing is on its way and nothing was refused. */
  readonly synced: boolean;
  readonly nack: {
    readonly message: string;
    readonly atMs: number | null;
    readonly names: readonly string[];
  } | null;
}

export interface ProxyItem {
  readonly cluster: string;
  readonly id: string;
  readonly kind: string;
  readonly connected: boolean;
  /** Of a pod's sidecar: `permissive` or `strict` (hansa.dev/inbound). */
  readonly inbound: string | null;
  readonly types: readonly ProxyType[];
}

/** Last label of a type URL. */
export const shortType = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf(".") + 1);

export function readProxy(cluster: string, raw: Readonly<Record<string, unknown>>): ProxyItem {
  const status = object(raw.xds);
  const id = text(raw.id);
  const streams = number(status.streams);
  return {
    cluster,
    id,
    kind: text(raw.kind) || (id.startsWith("gateway/") ? "gateway" : "sidecar"),
    connected: (streams ?? 0) > 0,
    inbound: text(raw.inbound) || null,
    types: list(status.types).map(readType),
  };
}

function readType(raw: Readonly<Record<string, unknown>>): ProxyType {
  const nack = raw.nack === undefined || raw.nack === null ? null : object(raw.nack);
  const sent = number(raw.sent) ?? 0;
  const acked = number(raw.acked) ?? 0;
  return {
    type: shortType(text(raw.typeUrl)),
    sent,
    acked,
    synced: nack === null && (number(raw.inFlight) ?? 0) === 0 && acked >= sent,
    nack:
      nack === null
        ? null
        : {
            message: text(nack.message),
            atMs: number(nack.atMs),
            names: Array.isArray(nack.names) ? nack.names.map(text) : [],
          },
  };
}

export const PROXY_HEADINGS = ["CLUSTER", "PROXY", "CONNECTED", "INBOUND", "TYPE", "SENT", "ACKED", "STATE"];

export function proxyRows(proxy: ProxyItem, nowMs: number): Cell[][] {
  const { cluster, id, connected, inbound, types } = proxy;
  if (types.length === 0) return [[cluster, id, connected ? "yes" : "no", inbound, null, null, null, null]];
  return types.map(({ type, sent, acked, synced, nack }, index) => {
    const state = nack
      ? `NACK HSA5001${nack.atMs === null ? "" : ` ${ago(nack.atMs, nowMs)} ago`}: ${nack.message}`
      : synced
        ? "synced"
        : "waiting";
    const first = index === 0;
    return [
      first ? cluster : "",
      first ? id : "",
      first ? (connected ? "yes" : "no") : "",
      first ? inbound : "",
      type,
      sent,
      acked,
      state,
    ];
  });
}
