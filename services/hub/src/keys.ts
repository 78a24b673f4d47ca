/** What `init` left in the hub's folder: genesis, the hub's log key, the bus issuer's seeds and the API's CA. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createIssuer, type Issuer, type IssuerKeys } from "@hansa/bus";
import { type Clock, HansaError, type Random, type Signer } from "@hansa/core";
import { fingerprintOf, type Genesis } from "@hansa/events";
import {
  keyIdOf,
  loadSigner,
  loadTlsAuthority,
  nodeCrypto,
  openKeyStore,
  type TlsAuthority,
} from "@hansa/identity";

export const FILES = {
  genesis: "genesis.json",
  hubKey: "hub-key.pem",
  bus: "bus.json",
  apiCa: "api-ca.pem",
  apiCaKey: "api-ca-key.pem",
  adminToken: "admin-token",
  config: "hub.yaml",
  nats: "nats.conf",
} as const;

export interface HubKeys {
  readonly genesis: Genesis;
  readonly fingerprint: string;
  readonly signer: Signer;
  readonly keyId: string;
  readonly issuer: Issuer;
  readonly tls: TlsAuthority;
  /** Secret of the first admin token; undefined once the operator deleted the file. */
  readonly adminSecret: string | undefined;
}

/** Throws HSA1004 where a file is missing or does not fit the others, HSA3002 where others may read a key. */
export async function loadKeys(dir: string, ports: { clock: Clock; random: Random }): Promise<HubKeys> {
  const store = openKeyStore(dir);
  const secret = (name: string): string => {
    const text = store.read(name);
    if (text === undefined)
      throw new HansaError(
        "HSA1004",
        `${join(dir, name)}: missing; run \`hub init\` or restore the folder from its backup`,
      );
    return text;
  };
  const genesis = JSON.parse(secret(FILES.genesis)) as Genesis;
  const signer = loadSigner(secret(FILES.hubKey));
  if (Buffer.from(signer.publicKey).toString("base64") !== genesis.hubKey)
    throw new HansaError("HSA1004", `${join(dir, FILES.hubKey)}: not the key that ${FILES.genesis} names`);
  const issuer = await createIssuer(JSON.parse(secret(FILES.bus)) as IssuerKeys, genesis.federation);
  if (issuer.hubAccount !== genesis.hubAccount)
    throw new HansaError("HSA1004", `${join(dir, FILES.bus)}: not the account that ${FILES.genesis} names`);
  const certPem = readFileSync(join(dir, FILES.apiCa), "utf8");
  return {
    genesis,
    fingerprint: fingerprintOf(genesis, nodeCrypto),
    signer,
    keyId: keyIdOf(signer.publicKey),
    issuer,
    tls: loadTlsAuthority({ ...ports, keyPem: secret(FILES.apiCaKey), certPem }),
    adminSecret: store.read(FILES.adminToken)?.trim(),
  };
}
