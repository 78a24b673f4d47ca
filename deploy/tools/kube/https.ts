/** The few HTTP requests that starting a lab needs; kubectl and tests have clients of their own. */
import { request as http } from "node:http";
import { request as https } from "node:https";

export interface Request {
  readonly caPem?: string;
  readonly token?: string;
  readonly timeoutMs?: number;
}

/** Status and body of a GET, or undefined where nobody answered in time. */
export function get(
  url: string,
  options: Request = {},
): Promise<{ status: number; body: string } | undefined> {
  const { caPem, token, timeoutMs = 2_000 } = options;
  return new Promise((resolve) => {
    const send = url.startsWith("https:") ? https : http;
    const request = send(
      url,
      {
        agent: false,
        timeout: timeoutMs,
        ...(caPem === undefined ? {} : { ca: caPem }),
        ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", () => resolve(undefined));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
    request.end();
  });
}

/** Whether a GET is answered with 200 now. */
export async function answers(url: string, options: Request = {}): Promise<boolean> {
  return (await get(url, options))?.status === 200;
}
