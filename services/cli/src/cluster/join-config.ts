/** The agent's configuration as `hansa cluster join` needs it: read what is there, or write one from flags. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { HansaError } from "@hansa/core";
import { parse, stringify } from "yaml";
import { object, text } from "../shell/api.ts";
import { wholeNumber } from "../shell/program.ts";
import { grantOf, needed, words } from "./token.ts";

/** What a join token says in clear: where the hub is, and for whom. The secret inside is not looked at. */
export interface Ticket {
  readonly hub: readonly string[];
  readonly cluster: string;
}

export interface JoinConfig {
  readonly cluster: string;
  readonly dataDir: string;
  readonly gateway: string;
  readonly adminUrl: string;
}

const TICKET_PREFIX = "hansa1.";
const SOCKET_DIR_CHARS_MAX = 60;

/** Throws HSA3003: the hub would say the same. */
export function readTicket(token: string): Ticket {
  try {
    const body = token.startsWith(TICKET_PREFIX) ? token.slice(TICKET_PREFIX.length) : "";
    const { hub, cluster } = object(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
    if (Array.isArray(hub) && hub.every((url) => typeof url === "string") && text(cluster) !== "")
      return { hub, cluster: text(cluster) };
  } catch {
    // Said below.
  }
  throw new HansaError(
    "HSA3003",
    `--token: is not a join token (they begin with ${TICKET_PREFIX}); was it cut?`,
  );
}

/** Throws HSA1004 where the file is no agent configuration, HSA3003 where it is another cluster's. */
export function readJoinConfig(file: string, ticket: Ticket): JoinConfig {
  let document: Record<string, unknown>;
  try {
    document = object(parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new HansaError("HSA1004", `${file}: cannot be read (${(cause as Error).message})`, { cause });
  }
  const admin = object(document.admin);
  const gateway = object(document.gateway);
  for (const [place, value] of [
    ["cluster", document.cluster],
    ["dataDir", document.dataDir],
    ["admin.host", admin.host],
    ["admin.port", admin.port],
    ["gateway.name", gateway.name],
  ] as const)
    if (text(value) === "") throw new HansaError("HSA1004", `${file}: ${place}: is missing`);
  const cluster = text(document.cluster);
  if (cluster !== ticket.cluster)
    throw new HansaError("HSA3003", `${file}: is for ${cluster}, the token is for ${ticket.cluster}`);
  return {
    cluster,
    dataDir: resolve(text(document.dataDir)),
    gateway: text(gateway.name),
    adminUrl: `https://${text(admin.host)}:${text(admin.port)}`,
  };
}

/** Writes `file` from flags where it is not there. Throws HSA1001 for the flag that is missing. */
export function ensureConfig(
  file: string,
  ticket: Ticket,
  options: Readonly<Record<string, unknown>>,
): boolean {
  if (existsSync(file)) return false;
  if (options.address === undefined)
    throw new HansaError(
      "HSA1001",
      `${file}: is not there; write it, or give --address, --region, --cidrs and --nats and it is written for you`,
    );
  const data = resolve(String(options.data));
  const grant = grantOf(ticket.cluster, options);
  const { namespaces: _all, ...wanted } = grant;
  const document = {
    cluster: ticket.cluster,
    dataDir: data,
    socketDir: socketDir(data, ticket.cluster),
    source: { file: resolve(String(options.source)) },
    ...wanted,
    hub: { url: ticket.hub[0] },
    nats: { servers: words("--nats", needed("--nats", options.nats), /^(nats|tls):\/\/\S+$/) },
    admin: { host: "127.0.0.1", port: 15_010 },
    gateway: {
      name: "gw",
      address: String(options.address),
      port: wholeNumber("--gateway-port", options.gatewayPort, 1, 65_535),
    },
  };
  if (!existsSync(document.source.file)) writeFileSync(document.source.file, "services: []\nworkloads: []\n");
  writeFileSync(file, stringify(document), { mode: 0o600 });
  return true;
}

/** A socket's path has at most 107 bytes. */
function socketDir(data: string, cluster: string): string {
  const below = join(data, "sockets");
  if (below.length <= SOCKET_DIR_CHARS_MAX) return below;
  return join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), `hansa-${userInfo().uid}-${cluster}`);
}
