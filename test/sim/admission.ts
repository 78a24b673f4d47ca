/** A membership as a join makes it: asked for by the cluster's key, countersigned by the hub's. */
import { type AccountKey, base64, type ClusterName, type Signer } from "@hansa/core";
import {
  countersign,
  fingerprintOf,
  type Genesis,
  type Grant,
  membershipKey,
  type RegisterEvent,
  signRequest,
} from "@hansa/events";
import { REGION } from "./facts.ts";
import { simCrypto } from "./sim-crypto.ts";

const GRANT: Grant = {
  namespaces: ["*"],
  cidrs: ["10.0.0.0/8"],
  region: REGION,
  zones: ["a"],
  network: "",
  claims: [],
  quotas: { services: 100, endpoints: 1000, identities: 100, bytesPerSecond: 1e6, recordsPerSecond: 1000 },
};

export interface Applicant {
  readonly name: string;
  readonly account: AccountKey;
  readonly signer: Signer;
}

export function membershipOf(
  genesis: Genesis,
  applicant: Applicant,
  hub: Signer,
  { incarnation = 1, state = "active" as "active" | "left" } = {},
): RegisterEvent {
  const fingerprint = fingerprintOf(genesis, simCrypto);
  const cluster = applicant.name as ClusterName;
  const request = {
    fingerprint,
    cluster,
    signingKey: base64(applicant.signer.publicKey),
    accountKey: applicant.account,
    userKey: "U",
    root: "",
    wanted: GRANT,
    nonce: "",
  };
  const fields = {
    cluster,
    incarnation,
    state,
    admittedMs: 1,
    grant: GRANT,
    ...signRequest(request, applicant.signer),
  };
  const data = countersign(fields, hub, fingerprint);
  return { type: "MembershipSet", v: 1, key: membershipKey(applicant.name), at: 1, data };
}
