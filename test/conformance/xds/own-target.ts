/** The default target: Hansa's own ADS server in this process, behind the same two doors as any other server. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { serveAds } from "@hansa/ads";
import { HansaError, isHansaError, noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { isTypeUrl, proto, ResourceLayer } from "@hansa/xds";
import type { Change } from "./control.ts";

const BODY_BYTES_MAX = 64 << 20;

export interface OwnTarget {
  readonly address: string;
  readonly controlUrl: string;
  close(): Promise<void>;
}

export async function startOwnTarget(owner: string): Promise<OwnTarget> {
  const layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
  const ads = await serveAds({
    listen: { host: "127.0.0.1", port: 0 },
    layers: [layer],
    owner,
    clock: systemClock,
    timers: systemTimers,
    log: silentLog,
    metrics: noMetrics,
  });
  const control = createServer((request, response) => {
    handle(layer, request).then(
      (status) => response.writeHead(status).end(),
      (error: unknown) => {
        const status = isHansaError(error) ? error.httpStatus : 500;
        response.writeHead(status, { "content-type": "text/plain" }).end(`${String(error)}\n`);
      },
    );
  });
  await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve));
  return {
    address: ads.address,
    controlUrl: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
    close: async () => {
      control.closeAllConnections();
      await new Promise((resolve) => control.close(resolve));
      await ads.close();
    },
  };
}

async function handle(layer: ResourceLayer, request: IncomingMessage): Promise<number> {
  const [, root, type, name, ...rest] = (request.url ?? "").split("/").map(decodeURIComponent);
  if (root !== "resources" || rest.length > 0)
    throw new HansaError("HSA1005", `${request.url}: no such path`);
  const body = await read(request);
  if (type === undefined && request.method === "POST") {
    apply(layer, (JSON.parse(body) as { changes: Change[] }).changes);
    return 204;
  }
  if (type === undefined || name === undefined || !["PUT", "DELETE"].includes(request.method ?? ""))
    throw new HansaError(
      "HSA1004",
      `${request.method} ${request.url}: PUT or DELETE /resources/{type}/{name}`,
    );
  apply(layer, [{ type, name, resource: request.method === "DELETE" ? null : JSON.parse(body) }]);
  return 204;
}

function apply(layer: ResourceLayer, changes: readonly Change[]): void {
  const encoded = changes.map(({ type, name, resource }) => {
    const typeUrl = `type.googleapis.com/${type}`;
    const schema = proto.registry.getMessage(type);
    if (schema === undefined || !isTypeUrl(typeUrl))
      throw new HansaError("HSA1004", `${type}: not a served type`);
    if (resource === null) return [typeUrl, [[name, null]]] as const;
    const message = proto.fromJson(schema, resource as proto.JsonValue, { registry: proto.registry });
    return [typeUrl, [[name, proto.toBinary(schema, message)]]] as const;
  });
  layer.commit(encoded);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new HansaError("HSA1006", `body: more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
