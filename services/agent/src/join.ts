/**
 * The first meeting with a federation: proves possession of every key, takes the countersigned membership, and checks
 * that the hub is the one whom the token names. Everything taken is kept, so that later starts need no hub.
 */
import { connect } from "node:tls";
import { signWithSeed } from "@hansa/bus";
import {
  base64,
  type Clock,
  type ClusterName,
  canonicalJson,
  fromBase64,
  HansaError,
  hex,
  parseFederationName,
  type Random,
  type Signer,
  type Timers,
  type TrustDomain,
  trustDomainOf,
  utf8,
} from "@hansa/core";
import {
  fingerprintOf,
  type Genesis,
  type Grant,
  type MembershipRequest,
  type MembershipValue,
  signRequest,
  verifyMembership,
} from "@hansa/events";
import { callLeader, type KeyStore, nodeCrypto, toPem } from "@hansa/identity";
import { z } from "zod";
import type { AgentConfig } from "./config.ts";
import { type BusIdentity, clusterAuthority } from "./identity/keys.ts";

const TICKET_PREFIX = "hansa1.";
const STORED = "membership.json";
const JOIN_TIMEOUT_MS = 30_000;
const PIN_TIMEOUT_MS = 5000;

/** What the agent wants when its configuration sets no lower bounds. */
const QUOTAS = {
  services: 10_000,
  endpoints: 100_000,
  identities: 10_000,
  bytesPerSecond: 4_000_000,
  recordsPerSecond: 500,
};

const ticketSchema = z.object({
  hub: z.array(z.url()).min(1),
  caPin: z.string().regex(/^[0-9a-f]{64}$/),
  cluster: z.string(),
  federation: z.string().refine((name) => parseFederationName(name) !== undefined),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  secret: z.string().min(1),
});
export type Ticket = z.infer<typeof ticketSchema>;

export interface Membership {
  readonly membership: MembershipValue;
  readonly genesis: Genesis;
  readonly fingerprint: string;
  readonly userJwt: string;
  readonly hubCa: string;
  readonly apiToken: string;
  readonly trustDomain: TrustDomain;
}

interface Stored extends Membership {
  /** Hash of the token that it came with: another token means another join. */
  readonly token: string;
}

export function parseTicket(token: string): Ticket {
  const wrong = (why: string): HansaError =>
    new HansaError("HSA3003", `joinToken: ${why}; make a new one with \`hansa cluster token\``);
  if (!token.startsWith(TICKET_PREFIX)) throw wrong(`does not begin with ${TICKET_PREFIX}`);
  try {
    return ticketSchema.parse(
      JSON.parse(Buffer.from(token.slice(TICKET_PREFIX.length), "base64url").toString("utf8")),
    );
  } catch {
    throw wrong("does not decode");
  }
}

/** PEM of the root that the server itself presents, if it has the pinned hash; nothing is sent before it is checked. */
export function fetchPinnedCa(url: string, pin: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: Number(port || 443),
      rejectUnauthorized: false,
      timeout: PIN_TIMEOUT_MS,
    });
    const fail = (message: string): void => {
      socket.destroy();
      reject(new HansaError("HSA1012", `hub ${url}: ${message}`));
    };
    socket.once("timeout", () => fail("does not answer"));
    socket.once("error", (error) => fail(error.message));
    socket.once("secureConnect", () => {
      let certificate = socket.getPeerCertificate(true);
      for (let depth = 0; depth < 5 && certificate.issuerCertificate !== undefined; depth += 1) {
        if (certificate.issuerCertificate === certificate) break;
        certificate = certificate.issuerCertificate;
      }
      socket.destroy();
      const raw = Uint8Array.from(certificate.raw ?? []);
      if (hex(nodeCrypto.sha256(raw)) === pin) resolve(toPem(raw));
      else reject(new HansaError("HSA3005", `hub ${url}: its CA is not the one that the token names`));
    });
  });
}

function wantedGrant(config: AgentConfig): Grant {
  const { namespaces, cidrs, region, zones, network, claims } = config;
  return { namespaces, cidrs, region, zones, network, claims, quotas: QUOTAS };
}

export interface JoinParts {
  readonly config: AgentConfig;
  readonly token: string;
  readonly store: KeyStore;
  readonly signer: Signer;
  readonly bus: BusIdentity;
  readonly ports: { readonly clock: Clock; readonly timers: Timers; readonly random: Random };
}

/** The same request for the same token: an answer that got lost can be asked for again. */
function requestFor(
  parts: JoinParts,
  ticket: Ticket,
  tokenHash: string,
): { request: string; requestSignature: string } {
  const file = "join-request.json";
  const text = parts.store.read(file);
  const kept =
    text === undefined
      ? undefined
      : (JSON.parse(text) as { token: string; request: string; requestSignature: string });
  if (kept?.token === tokenHash) return kept;
  const request: MembershipRequest = {
    fingerprint: ticket.fingerprint,
    cluster: parts.config.cluster as ClusterName,
    signingKey: base64(parts.signer.publicKey),
    accountKey: parts.bus.accountKey,
    userKey: parts.bus.userKey,
    root: base64(
      clusterAuthority(parts.store, trustDomainOf(ticket.cluster, ticket.federation), parts.ports).rootDer,
    ),
    wanted: wantedGrant(parts.config),
    nonce: base64(parts.ports.random.bytes(16)),
  };
  const signed = signRequest(request, parts.signer);
  parts.store.write(file, JSON.stringify({ token: tokenHash, ...signed }));
  return signed;
}

interface JoinAnswer {
  readonly membership: MembershipValue;
  readonly genesis: Genesis;
  readonly userJwt: string;
  readonly hubCa: string;
  readonly apiToken: string;
}

function check(answer: JoinAnswer, ticket: Ticket, request: string): void {
  if (fingerprintOf(answer.genesis, nodeCrypto) !== ticket.fingerprint)
    throw new HansaError(
      "HSA3005",
      "join: the hub's genesis does not have the token's fingerprint; do not continue",
    );
  const hubKey = fromBase64(answer.genesis.hubKey) ?? new Uint8Array();
  const verdict = verifyMembership(answer.membership, hubKey, ticket.fingerprint, nodeCrypto);
  if (verdict.kind === "problem") throw new HansaError(verdict.code, `join: ${verdict.message}`);
  if (answer.membership.request !== request)
    throw new HansaError("HSA3005", "join: the hub answered with another membership request");
}

/** The kept membership, or the one that a new token gives. Throws a coded error where there is neither. */
export async function ensureMembership(
  parts: Omit<JoinParts, "token">,
  token: string | undefined,
): Promise<Membership> {
  const stored = readMembership(parts.store);
  const tokenHash = token === undefined ? "" : hex(nodeCrypto.sha256(utf8(token)));
  if (stored !== undefined && (token === undefined || stored.token === tokenHash)) return stored;
  if (token === undefined)
    throw new HansaError(
      "HSA3003",
      "joinToken: this agent has not joined yet; give it a token made with `hansa cluster token`",
    );
  return await join({ ...parts, token }, tokenHash);
}

async function join(parts: JoinParts, tokenHash: string): Promise<Membership> {
  const ticket = parseTicket(parts.token);
  const { config, store, bus } = parts;
  if (ticket.cluster !== config.cluster)
    throw new HansaError(
      "HSA3003",
      `joinToken: is for ${ticket.cluster}, and this agent is ${config.cluster}`,
    );
  // The token names the hub as its own network knows it; behind a border the configured way leads there (the pin holds).
  const { url } = config.hub;
  const caPem = config.hub.caPem ?? (await fetchPinnedCa(url, ticket.caPin));
  const { request, requestSignature } = requestFor(parts, ticket, tokenHash);
  const bytes = utf8(request);
  const answer = await callLeader(
    { url, caPem, token: "" },
    {
      method: "POST",
      path: "/v1/join",
      timeoutMs: JOIN_TIMEOUT_MS,
      body: {
        secret: ticket.secret,
        request,
        signature: requestSignature,
        accountProof: base64(signWithSeed(store.read("nats-account.seed") ?? "", bytes)),
        userProof: base64(signWithSeed(bus.userSeed, bytes)),
      },
    },
    parts.ports.timers,
  );
  const joined = bodyOf(answer);
  check(joined, ticket, request);
  const kept: Stored = {
    membership: joined.membership,
    genesis: joined.genesis,
    fingerprint: ticket.fingerprint,
    userJwt: joined.userJwt,
    hubCa: joined.hubCa,
    apiToken: joined.apiToken,
    trustDomain: trustDomainOf(config.cluster, joined.genesis.federation),
    token: tokenHash,
  };
  store.write(STORED, canonicalJson(kept));
  return kept;
}

function bodyOf(answer: unknown): JoinAnswer {
  const outer = answer as { data?: JoinAnswer } & JoinAnswer;
  return outer.data ?? outer;
}

function readMembership(store: KeyStore): Stored | undefined {
  const text = store.read(STORED);
  return text === undefined ? undefined : (JSON.parse(text) as Stored);
}
