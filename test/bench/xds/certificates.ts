/** Certificates of both sides for mTLS, as files: P-256, a server by address, clients by SPIFFE ID. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock, trustDomainOf, workloadId } from "@hansa/core";
import { createAuthority, createTlsAuthority, newSvid, nodeRandom, toPem } from "@hansa/identity";

/** Arguments of the programs; empty = plaintext. */
export interface TlsArguments {
  readonly server: readonly string[];
  readonly client: readonly string[];
}

export const PLAINTEXT: TlsArguments = { server: [], client: [] };

export function mutualTls(dir: string): TlsArguments {
  const ports = { clock: systemClock, random: nodeRandom };
  const servers = createTlsAuthority("bench", ports);
  const server = servers.issueServer(["127.0.0.1"]);
  const trustDomain = trustDomainOf("eu", "bench.hansa");
  const members = createAuthority({ trustDomain, ...ports });
  const client = newSvid(members, workloadId(trustDomain, "shop", "web"));
  const args = (side: string, pair: { certPem: string; keyPem: string }, ca: string): string[] =>
    Object.entries({ cert: pair.certPem, key: pair.keyPem, ca }).flatMap(([flag, pem]) => {
      const file = join(dir, `${side}-${flag}.pem`);
      writeFileSync(file, pem, { mode: 0o600 });
      return [`--${flag}`, file];
    });
  return {
    server: args("server", server, toPem(members.rootDer)),
    client: args("client", client, servers.certPem),
  };
}
