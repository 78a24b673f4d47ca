/**
 * The webhooks' HTTPS server. Whoever reaches it learns what would become of an object of his own, and nothing else:
 * it holds no secret and changes nothing, so it asks nobody who he is. Owns the limits of that.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { HansaError, type Metrics } from "@hansa/core";
import type { Reviewed } from "./admission.ts";

export interface WebhookTls {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface WebhookOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: WebhookTls;
  /** Path → what answers a review that comes by it. */
  readonly reviewers: Readonly<Record<string, (text: string) => Reviewed>>;
  readonly metrics: Metrics;
}

export interface WebhookServer {
  readonly port: number;
  setTls(tls: WebhookTls): void;
  close(): Promise<void>;
}

/** An API server takes requests of at most 3 MiB; a review holds the object and little else. */
export const REVIEW_BYTES_MAX = 4 << 20;
/** API servers keep a few connections each. */
const CONNECTIONS_MAX = 256;
const REQUEST_MS_MAX = 10_000;

/** Listens when the promise resolves. Throws HSA1012 where the address is taken. */
export async function openWebhook(options: WebhookOptions): Promise<WebhookServer> {
  const { host, port, tls } = options;
  const server = createServer(
    { ...contextOf(tls), requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX },
    (request, response) => answer(request, response, options),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new HansaError("HSA1012", `webhook: cannot listen on ${host}:${port}: ${error.message}`)),
    );
    server.listen({ host, port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    setTls: (next) => server.setSecureContext(contextOf(next)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const contextOf = ({ certPem, keyPem }: WebhookTls) =>
  ({ cert: certPem, key: keyPem, minVersion: "TLSv1.2" }) as const;

function answer(request: IncomingMessage, response: ServerResponse, options: WebhookOptions): void {
  const { reviewers, metrics } = options;
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const reviewer = Object.hasOwn(reviewers, path) ? reviewers[path] : undefined;
  const say = (outcome: string, status: number, body: unknown): void => {
    metrics.count("hansa_admission_reviews_total", {
      path: reviewer === undefined ? "other" : path,
      outcome,
    });
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const refuse = (status: number, what: string): void => {
    response.setHeader("connection", "close");
    say("malformed", status, { code: "HSA7032", message: `HSA7032 AdmissionReview: ${what}` });
    request.resume();
  };
  if (reviewer === undefined || request.method !== "POST") {
    refuse(404, `comes by POST to ${Object.keys(reviewers).join(" or ")}`);
    return;
  }
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  request.on("data", (piece: Buffer) => {
    sizeBytes += piece.length;
    if (sizeBytes <= REVIEW_BYTES_MAX) pieces.push(piece);
    else if (!response.headersSent) refuse(413, `exceeds ${REVIEW_BYTES_MAX} bytes`);
  });
  request.on("error", () => {});
  request.on("end", () => {
    if (response.headersSent) return;
    const { outcome, status, body } = reviewer(Buffer.concat(pieces).toString());
    say(outcome, status, body);
  });
}
