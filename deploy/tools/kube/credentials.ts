/** What one API server and its clients need to know each other: certificates, the service accounts' key, tokens. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@hansa/core";
import { createTlsAuthority, nodeRandom, type TlsAuthority } from "@hansa/identity";
import type { ClusterPlan } from "./plan.ts";

export interface ClusterCredentials {
  readonly authority: TlsAuthority;
  readonly adminToken: string;
  readonly files: {
    readonly ca: string;
    readonly serverCert: string;
    readonly serverKey: string;
    readonly accountsKey: string;
    readonly accountsPublicKey: string;
    readonly tokens: string;
  };
}

/** The names under which an API server is called: by clients on loopback, by pods, by its DNS names. */
export function serverNames(plan: ClusterPlan, address: string): string[] {
  const dns = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  return [
    address,
    plan.kubernetesIp,
    plan.nodeIp,
    ...dns,
    "kubernetes.default.svc.cluster.local",
    "localhost",
  ];
}

/** Writes all of it into `dir` (0700). `names` are those under which the API server is called. */
export function makeCredentials(dir: string, cluster: string, names: readonly string[]): ClusterCredentials {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const authority = createTlsAuthority(`${cluster} Kubernetes`, {
    clock: systemClock,
    random: nodeRandom,
  });
  const server = authority.issueServer(names);
  const accounts = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const adminToken = randomBytes(24).toString("hex");
  return {
    authority,
    adminToken,
    files: {
      ca: file("ca.crt", authority.certPem),
      serverCert: file("server.crt", server.certPem),
      serverKey: file("server.key", server.keyPem),
      accountsKey: file(
        "accounts.key",
        accounts.privateKey.export({ format: "pem", type: "pkcs8" }) as string,
      ),
      accountsPublicKey: file(
        "accounts.pub",
        accounts.publicKey.export({ format: "pem", type: "spki" }) as string,
      ),
      tokens: file("tokens.csv", `${adminToken},admin,admin,"system:masters"\n`),
    },
  };
}
