/** Configuration text of a nats-server that carries this federation (operator mode, full resolver, synced storage). */

import type { Issuer } from "./issuer.ts";
import { PAYLOAD_BYTES_MAX } from "./limits.ts";

export interface NatsServerOptions {
  readonly issuer: Pick<
    Issuer,
    "operatorJwt" | "systemAccount" | "systemAccountJwt" | "hubAccount" | "hubAccountJwt"
  >;
  readonly host: string;
  readonly port: number;
  /** JetStream files below `<storeDir>`, account JWTs below `<resolverDir>`; both are made by the server. */
  readonly storeDir: string;
  readonly resolverDir: string;
  readonly serverName: string;
  /** JetStream's reserve, at least `storageBytesFor` the streams. A bound, not space taken. */
  readonly fileStoreBytesMax: number;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

const quoted = (text: string): string => JSON.stringify(text);

export function natsServerConfig(options: NatsServerOptions): string {
  const { issuer, tls } = options;
  return [
    `server_name: ${quoted(options.serverName)}`,
    `listen: ${quoted(`${options.host}:${options.port}`)}`,
    `max_payload: ${PAYLOAD_BYTES_MAX}`,
    // A client that does not drain is cut off; it reads what it missed from the stream.
    "max_pending: 64MB",
    "write_deadline: 10s",
    "ping_interval: 10s",
    "ping_max: 2",
    ...(tls
      ? ["tls {", `  cert_file: ${quoted(tls.certFile)}`, `  key_file: ${quoted(tls.keyFile)}`, "}"]
      : []),
    "jetstream {",
    `  store_dir: ${quoted(options.storeDir)}`,
    `  max_file_store: ${options.fileStoreBytesMax}`,
    "  max_memory_store: 256MB",
    // The default acknowledges up to two minutes before it syncs (nats-server#7564).
    "  sync_interval: always",
    "}",
    `operator: ${quoted(issuer.operatorJwt)}`,
    `system_account: ${issuer.systemAccount}`,
    "resolver {",
    "  type: full",
    `  dir: ${quoted(options.resolverDir)}`,
    "  allow_delete: true",
    '  interval: "2m"',
    "}",
    "resolver_preload {",
    `  ${issuer.systemAccount}: ${quoted(issuer.systemAccountJwt)}`,
    `  ${issuer.hubAccount}: ${quoted(issuer.hubAccountJwt)}`,
    "}",
    "",
  ].join("\n");
}
