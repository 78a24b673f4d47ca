/** The mesh protocol of a service port: appProtocol, else its name's prefix, else tcp; never sniffed (design §5). */
import type { Protocol } from "@hansa/events";

const APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  http: "http",
  "kubernetes.io/h2c": "http2",
  h2c: "http2",
  http2: "http2",
  grpc: "grpc",
  tcp: "tcp",
};

const named = (text: string): Protocol =>
  Object.hasOwn(APP_PROTOCOLS, text) ? (APP_PROTOCOLS[text] ?? "tcp") : "tcp";

export const protocolOf = (appProtocol: string | undefined, name: string): Protocol =>
  named(appProtocol ?? name.split("-")[0] ?? "");
