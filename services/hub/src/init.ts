/**
 * `init`: makes a federation. Writes genesis, the hub's log key, the bus issuer's seeds, the API's CA and a first admin
 * token into one folder of mode 0700. Never overwrites: a federation's birth certificate is made once.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createIssuer, natsServerConfig, newIssuerKeys } from "@hansa/bus";
import { base64, fromBase64, HansaError, parseFederationName, systemClock } from "@hansa/core";
import { fingerprintOf, type Genesis, OPERATORS_MAX } from "@hansa/events";
import {
  createTlsAuthority,
  fromPem,
  newSigningKey,
  nodeCrypto,
  nodeRandom,
  openKeyStore,
  writeAtomically,
} from "@hansa/identity";
import { stringify } from "yaml";
import { FILES } from "./keys.ts";

export interface InitOptions {
  readonly dir: string;
  readonly federation: string;
  /** base64 raw Ed25519 public keys. */
  readonly operators: readonly string[];
  readonly threshold: number;
  readonly lab: boolean;
  /** Names and addresses of the API's certificate. */
  readonly apiHosts: readonly string[];
  /** Address to listen on. */
  readonly apiListen: string;
  readonly apiPort: number;
  readonly nats: string;
  /** `host:port` of the server that nats.conf describes, and where it keeps its data. */
  readonly natsListen: string;
  readonly natsData: string;
  readonly postgres: string;
}

export interface InitResult {
  readonly fingerprint: string;
  readonly federation: string;
  readonly hubAccount: string;
  /** Hex SHA-256 of the API CA's DER, as in join tokens. */
  readonly caPin: string;
}

export const pinOf = (certPem: string): string => {
  const [der] = fromPem(certPem);
  if (der === undefined) throw new HansaError("HSA1004", "API CA: no certificate in the PEM");
  return createHash("sha256").update(der).digest("hex");
};

/** Throws HSA1004 for unusable options and for a folder that holds a federation already. */
export async function init(options: InitOptions): Promise<InitResult> {
  const federation = parseFederationName(options.federation);
  if (federation === undefined)
    throw new HansaError(
      "HSA1004",
      `--federation ${options.federation}: needs two or more lower-case DNS labels, e.g. lab.hansa`,
    );
  checkOperators(options);
  if (existsSync(join(options.dir, FILES.genesis)))
    throw new HansaError("HSA1004", `${options.dir}: holds a federation already; choose an empty folder`);

  const ports = { clock: systemClock, random: nodeRandom };
  const hubKey = newSigningKey();
  const issuerKeys = newIssuerKeys();
  const issuer = await createIssuer(issuerKeys, federation);
  const tls = createTlsAuthority(`${federation} hub API`, ports);
  const genesis: Genesis = {
    format: 1,
    federation,
    hubKey: base64(hubKey.signer.publicKey),
    hubAccount: issuer.hubAccount,
    operators: { keys: options.operators, threshold: options.threshold },
    lab: options.lab,
    createdMs: systemClock.nowMs(),
  };
  const nats = natsConfig(options, issuer);
  const store = openKeyStore(options.dir);
  store.write(FILES.hubKey, hubKey.pkcs8);
  store.write(FILES.bus, JSON.stringify(issuerKeys));
  store.write(FILES.apiCaKey, tls.exportKey());
  store.write(FILES.adminToken, `hansa_${Buffer.from(nodeRandom.bytes(32)).toString("base64url")}`);
  writeAtomically(options.dir, FILES.apiCa, tls.certPem);
  writeAtomically(options.dir, FILES.config, stringify(configOf(options)));
  writeAtomically(options.dir, FILES.nats, nats);
  // Last: its presence says that everything else is there.
  store.write(FILES.genesis, JSON.stringify(genesis));
  return {
    fingerprint: fingerprintOf(genesis, nodeCrypto),
    federation,
    hubAccount: issuer.hubAccount,
    caPin: pinOf(tls.certPem),
  };
}

function checkOperators({ operators, threshold }: InitOptions): void {
  if (operators.length < 1 || operators.length > OPERATORS_MAX)
    throw new HansaError("HSA1004", `--operators: needs 1 to ${OPERATORS_MAX} public keys`);
  for (const key of operators)
    if (fromBase64(key)?.length !== 32)
      throw new HansaError("HSA1004", `--operators ${key}: not base64 of a raw Ed25519 public key`);
  if (new Set(operators).size !== operators.length)
    throw new HansaError("HSA1004", "--operators: a key is named twice");
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > operators.length)
    throw new HansaError("HSA1004", `--threshold ${threshold}: must be 1 to ${operators.length}`);
}

const configOf = ({ apiHosts, apiListen, apiPort, nats, postgres, lab }: InitOptions) => ({
  dir: ".",
  postgres: { url: postgres },
  nats: { servers: [nats], ...(lab ? { recordsPerLogMax: 256 } : {}) },
  api: { host: apiListen, port: apiPort, hosts: apiHosts },
  log: { level: "info" },
});

/** A server beside the hub; whoever runs another takes the operator's lines from here. */
function natsConfig(
  { natsListen, natsData }: InitOptions,
  issuer: Parameters<typeof natsServerConfig>[0]["issuer"],
): string {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(natsListen) ?? [];
  if (host === "") throw new HansaError("HSA1004", `--nats-listen ${natsListen}: needs HOST:PORT`);
  return natsServerConfig({
    issuer,
    host,
    port: Number(port),
    storeDir: join(natsData, "jetstream"),
    resolverDir: join(natsData, "accounts"),
    serverName: "hansa",
    fileStoreBytesMax: 64 * 1024 ** 3,
  });
}
