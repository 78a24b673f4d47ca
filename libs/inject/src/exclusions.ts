/** What a pod keeps out of the mesh by its annotations. Answers every problem, by its place. */
import {
  EXCLUDE_INBOUND_PORTS,
  EXCLUDE_OUTBOUND_CIDRS,
  EXCLUDE_OUTBOUND_PORTS,
  PROXY_PORTS,
} from "./names.ts";
import type { Pod } from "./pod.ts";

export interface Exclusions {
  readonly inboundPorts: readonly number[];
  readonly outboundPorts: readonly number[];
  readonly outboundCidrs: readonly string[];
}

/** As many rules as anybody needs by hand; each costs every new connection a comparison. */
export const EXCLUSIONS_MAX = 100;

export function readExclusions(pod: Pod): {
  readonly found: Exclusions;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const read = <T>(name: string, what: string, parse: (text: string) => T | undefined): T[] => {
    const place = `metadata.annotations["${name}"]`;
    const text = pod.metadata?.annotations?.[name] ?? "";
    const items = text === "" ? [] : text.split(",").map((item) => item.trim());
    if (items.length > EXCLUSIONS_MAX) {
      problems.push(`${place}: ${items.length} entries, at most ${EXCLUSIONS_MAX} are taken`);
      return [];
    }
    return items.flatMap((item) => {
      const value = parse(item);
      if (value === undefined) problems.push(`${place}: ${JSON.stringify(item)} is no ${what}`);
      return value ?? [];
    });
  };
  const found = {
    inboundPorts: read(EXCLUDE_INBOUND_PORTS, "port that the application may have", portOf),
    outboundPorts: read(EXCLUDE_OUTBOUND_PORTS, "port that the application may have", portOf),
    outboundCidrs: read(EXCLUDE_OUTBOUND_CIDRS, "range such as 10.1.0.0/16 or fd00:1::/64", cidrOf),
  };
  return { found, problems };
}

function portOf(text: string): number | undefined {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= 65_535 && !PROXY_PORTS.includes(port) ? port : undefined;
}

/** Text that goes into a rule: nothing but hexadecimal digits, dots or colons, and one slash. */
export const cidrOf = (text: string): string | undefined => ipv4CidrOf(text) ?? ipv6CidrOf(text);

export function ipv4CidrOf(text: string): string | undefined {
  const [, address = "", bits = ""] = /^((?:[0-9]{1,3}\.){3}[0-9]{1,3})\/([0-9]{1,2})$/.exec(text) ?? [];
  const isAddress = address !== "" && address.split(".").every((part) => Number(part) <= 255);
  return isAddress && Number(bits) <= 32 ? text : undefined;
}

function ipv6CidrOf(text: string): string | undefined {
  const [, address = "", bits = ""] = /^([0-9a-fA-F:]{2,39})\/([0-9]{1,3})$/.exec(text) ?? [];
  return URL.canParse(`http://[${address}]`) && Number(bits) <= 128 ? text : undefined;
}
