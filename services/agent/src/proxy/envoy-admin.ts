/** Asks a local Envoy's admin interface. Bounded in time and bytes; a proxy that does not answer is no error here. */
import { request } from "node:http";
import type { AdminPlace } from "@hansa/xds";

export interface AdminLimits {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

/** The JSON answer, or null where there is none within the limits. */
export function askEnvoy(place: AdminPlace, path: string, limits: AdminLimits): Promise<unknown> {
  const where = "path" in place ? { socketPath: place.path } : { host: place.address, port: place.port };
  return new Promise((resolve) => {
    const asked = request({ ...where, path, agent: false }, (response) => {
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
