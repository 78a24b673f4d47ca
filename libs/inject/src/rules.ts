/**
 * Interception (envoy-dataplane §10) as `iptables-restore` reads it. Everything of TCP goes through the proxy but its own
 * connections, loopback, and what is excluded. IPv6 is not intercepted: what would go past the proxy by it, either way, is
 * refused at once, so that who has an IPv4 address to try does.
 */
import type { Exclusions } from "./exclusions.ts";
import { INBOUND_PORT, OUTBOUND_PORT, PROBE_PORT, PROXY_UID } from "./names.ts";

const INBOUND = "HANSA_INBOUND";
const OUTBOUND = "HANSA_OUTBOUND";

const restore = (table: string, chains: readonly string[], rules: readonly string[]): string =>
  [`*${table}`, ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, "COMMIT"].join("\n");

const leavePort =
  (chain: string) =>
  (port: number): string =>
    `-A ${chain} -p tcp --dport ${port} -j RETURN`;

const leaveRange = (cidr: string): string => `-A ${OUTBOUND} -d ${cidr} -j RETURN`;

const isIpv6 = (cidr: string): boolean => cidr.includes(":");

export const ipv4Rules = ({ inboundPorts, outboundPorts, outboundCidrs }: Exclusions): string =>
  restore(
    "nat",
    [INBOUND, OUTBOUND],
    [
      `-A PREROUTING -p tcp -j ${INBOUND}`,
      ...[INBOUND_PORT, PROBE_PORT, ...inboundPorts].map(leavePort(INBOUND)),
      `-A ${INBOUND} -p tcp -j REDIRECT --to-ports ${INBOUND_PORT}`,
      `-A OUTPUT -p tcp -j ${OUTBOUND}`,
      `-A ${OUTBOUND} -m owner --uid-owner ${PROXY_UID} -j RETURN`,
      `-A ${OUTBOUND} -d 127.0.0.0/8 -j RETURN`,
      ...outboundPorts.map(leavePort(OUTBOUND)),
      ...outboundCidrs.filter((cidr) => !isIpv6(cidr)).map(leaveRange),
      `-A ${OUTBOUND} -p tcp -j REDIRECT --to-ports ${OUTBOUND_PORT}`,
    ],
  );

/** Replies go out: they are no SYN. */
export const ipv6Rules = ({ inboundPorts, outboundPorts, outboundCidrs }: Exclusions): string =>
  restore(
    "filter",
    [INBOUND, OUTBOUND],
    [
      `-A INPUT -p tcp -j ${INBOUND}`,
      `-A ${INBOUND} -i lo -j RETURN`,
      ...inboundPorts.map(leavePort(INBOUND)),
      `-A ${INBOUND} -p tcp --syn -j REJECT --reject-with tcp-reset`,
      `-A OUTPUT -p tcp -j ${OUTBOUND}`,
      `-A ${OUTBOUND} -m owner --uid-owner ${PROXY_UID} -j RETURN`,
      `-A ${OUTBOUND} -o lo -j RETURN`,
      ...outboundPorts.map(leavePort(OUTBOUND)),
      ...outboundCidrs.filter(isIpv6).map(leaveRange),
      `-A ${OUTBOUND} -p tcp --syn -j REJECT --reject-with tcp-reset`,
    ],
  );
