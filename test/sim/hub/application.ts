/** How a cluster asks to join: its request, signed by its key, with a proof of every key that it names. */
import { type AccountKey, base64, type ClusterName, type Signer, utf8 } from "@hansa/core";
import { fingerprintOf, type Genesis, type Grant, signRequest } from "@hansa/events";
import type { JoinBody } from "../../../services/hub/src/membership/join.ts";
import { REGION } from "../facts.ts";
import { simCrypto, simSigner } from "../sim-crypto.ts";
import { nkeyOf } from "./nkey.ts";

export const GRANT: Grant = {
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
  readonly signer: Signer;
}

const accountSigner = (name: string): Signer => simSigner(`account ${name}`);

/** The bus account of a cluster. */
export const accountOf = (name: string): AccountKey =>
  nkeyOf(accountSigner(name).publicKey, "account") as AccountKey;

export function joinBodyOf(genesis: Genesis, { name, signer }: Applicant, secret: string): JoinBody {
  const user = simSigner(`user ${name}`);
  const { request, requestSignature } = signRequest(
    {
      fingerprint: fingerprintOf(genesis, simCrypto),
      cluster: name as ClusterName,
      signingKey: base64(signer.publicKey),
      accountKey: accountOf(name),
      userKey: nkeyOf(user.publicKey, "user"),
      root: "",
      wanted: GRANT,
      nonce: "",
    },
    signer,
  );
  const proof = (by: Signer): string => base64(by.sign(utf8(request)));
  return {
    secret,
    request,
    signature: requestSignature,
    accountProof: proof(accountSigner(name)),
    userProof: proof(user),
  };
}
