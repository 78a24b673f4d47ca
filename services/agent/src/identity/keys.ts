/** This cluster's keys and credentials on disk: made once, at the first start, where they are used. */

import { accountKeyOf, newAccountKeys, newUserKeys } from "@hansa/bus";
import {
  type AccountKey,
  type Clock,
  HansaError,
  type Random,
  type Signer,
  type TrustDomain,
} from "@hansa/core";
import {
  type Authority,
  createAuthority,
  createTlsAuthority,
  fromPem,
  type KeyStore,
  loadAuthority,
  loadSigner,
  loadTlsAuthority,
  newSigningKey,
  type TlsAuthority,
  toPem,
} from "@hansa/identity";

interface Ports {
  readonly clock: Clock;
  readonly random: Random;
}

/** Ed25519 key of this cluster's log. Losing it needs operator signatures to replace: back the folder up. */
export const logSigner = (store: KeyStore): Signer =>
  loadSigner(store.ensure("log-key.pem", () => newSigningKey().pkcs8));

export interface BusIdentity {
  readonly accountKey: AccountKey;
  readonly userKey: string;
  readonly userSeed: string;
}

export function busIdentity(store: KeyStore): BusIdentity {
  const account = accountKeyOf(store.ensure("nats-account.seed", () => newAccountKeys().seed));
  if (account === undefined) throw new HansaError("HSA1004", "nats-account.seed: not an account seed");
  const user = JSON.parse(store.ensure("nats-user.json", () => JSON.stringify(newUserKeys()))) as {
    publicKey: string;
    seed: string;
  };
  return { accountKey: account, userKey: user.publicKey, userSeed: user.seed };
}

/** The cluster's CA. Key and certificate are one file: they change together or not at all. */
export function clusterAuthority(store: KeyStore, trustDomain: TrustDomain, ports: Ports): Authority {
  const text = store.ensure("ca.pem", () => {
    const authority = createAuthority({ trustDomain, ...ports });
    return authority.exportKey() + toPem(authority.rootDer);
  });
  const [certDer] = fromPem(text);
  if (certDer === undefined)
    throw new HansaError("HSA1004", "ca.pem: holds no certificate; restore it from its backup");
  const authority = loadAuthority({ keyPem: text, certDer, ...ports });
  if (authority.trustDomain !== trustDomain)
    throw new HansaError("HSA1004", `ca.pem: is the CA of ${authority.trustDomain}, not of ${trustDomain}`);
  return authority;
}

/** CA of the admin API's own TLS certificate; nothing in the mesh trusts it. */
export function adminAuthority(store: KeyStore, cluster: string, ports: Ports): TlsAuthority {
  const text = store.ensure("admin-ca.pem", () => {
    const authority = createTlsAuthority(`agent ${cluster}`, ports);
    return authority.exportKey() + authority.certPem;
  });
  return loadTlsAuthority({ keyPem: text, certPem: text, ...ports });
}
