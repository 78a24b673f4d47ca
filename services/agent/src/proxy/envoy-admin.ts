/** Asks a local Envoy's admin interface. Bounded in time and bytes; a proxy that does not answer is no error here. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { request as requestTls } from "node:https";
import type { SpiffeId } from "@hansa/core";
import { inspectSvid, type Svid } from "@hansa/identity";
import type { AdminPlace } from "@hansa/xds";

export interface AdminLimits {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

/** A pod's Envoy, which answers its agent alone (libs/xds, inspect). */
export interface PodPlace {
  readonly address: string;
  readonly port: number;
  readonly sni: string;
  /** PEM of the own trust domain's. */
  readonly roots: string;
  readonly expectedId: SpiffeId;
  readonly svid: Pick<Svid, "certPem" | "keyPem">;
}

export type EnvoyPlace = AdminPlace | PodPlace;

function open(place: EnvoyPlace, path: string, onAnswer: (response: IncomingMessage) => void): ClientRequest {
  if (!("sni" in place)) {
    const where = "path" in place ? { socketPath: place.path } : { host: place.address, port: place.port };
    return request({ ...where, path, agent: false }, onAnswer);
  }
  const { address: host, port, sni: servername, roots: ca, svid, expectedId } = place;
  const tls = { servername, ca, cert: svid.certPem, key: svid.keyPem, minVersion: "TLSv1.2" } as const;
  const checkServerIdentity = (_host: string, { raw }: { readonly raw: Uint8Array }): Error | undefined => {
    const leaf = inspectSvid(Uint8Array.from(raw));
    const isIt = leaf.kind !== "refused" && leaf.spiffeId === expectedId;
    return isIt ? undefined : new Error(`it is not ${expectedId}`);
  };
  return requestTls({ host, port, path, agent: false, ...tls, checkServerIdentity }, onAnswer);
}

/** The JSON answer, or null where there is none within the limits. */
export function askEnvoy(place: EnvoyPlace, path: string, limits: AdminLimits): Promise<unknown> {
  return new Promise((resolve) => {
    const asked = open(place, path, (response) => {
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      response.on("data", (part: Buffer) => {
        parts.push(part);
        sizeBytes += part.length;
        if (sizeBytes <= limits.answerBytesMax) return;
        // What has arrived by now still comes to its end.
        resolve(null);
        asked.destroy();
      });
      response.on("end", () => resolve(parse(Buffer.concat(parts).toString("utf8"))));
      response.on("error", () => resolve(null));
    });
    asked.setTimeout(limits.timeoutMs, () => asked.destroy());
    asked.on("error", () => resolve(null));
    asked.on("close", () => resolve(null));
    asked.end();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields of an object, or of the object in its field `name`; none where there is no such thing. */
export function fieldsOf(of: unknown, name?: string): Fields {
  const fields = typeof of === "object" && of !== null ? (of as Fields) : {};
  return name === undefined ? fields : fieldsOf(fields[name]);
}

export function itemsOf(of: unknown, name: string): readonly unknown[] {
  const value = fieldsOf(of)[name];
  return Array.isArray(value) ? value : [];
}
