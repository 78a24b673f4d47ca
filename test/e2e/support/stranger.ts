/** A caller that is no part of the mesh: it dials a lab's gateway with the certificate, the name and the headers it likes. */
import * as http2 from "node:http2";
import { connect, type TLSSocket } from "node:tls";

export interface Knock {
  /** `host:port`. */
  readonly address: string;
  readonly sni?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

/** `status` 0: there was no HTTP answer, `detail` says how the connection ended. */
export interface Reply {
  readonly status: number;
  readonly detail: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the lab's workloads answer.
  readonly body: any;
}

const TIMEOUT_MS = 10_000;

/** One HTTP/2 request. What the server shows is not checked: it is the server's verdict that counts. */
export async function knock({
  address,
  sni,
  certPem,
  keyPem,
  headers = {},
  path = "/",
}: Knock): Promise<Reply> {
  const socket = open(address, sni, certPem, keyPem);
  const session = http2.connect("https://stranger", { createConnection: () => socket });
  try {
    return await new Promise<Reply>((resolve) => {
      const refused = (error: Error & { code?: string }) =>
        resolve({ status: 0, detail: error.code ?? error.message, body: null });
      socket.once("error", refused);
      session.once("error", refused);
      session.once("close", () => refused(new Error("closed")));
      const authority = sni === undefined ? "stranger" : sni;
      const request = session.request({ ...headers, ":path": path, ":authority": authority });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error("no answer")));
      request.once("error", refused);
      let status = 0;
      let text = "";
      request.once("response", (answered) => {
        status = Number(answered[":status"]);
      });
      request.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      request.once("end", () => resolve({ status, detail: text, body: parseOrNull(text) }));
      request.end();
    });
  } finally {
    session.destroy();
    socket.destroy();
  }
}

function open(address: string, sni?: string, cert?: string, key?: string): TLSSocket {
  const [host = "", port = ""] = address.split(":");
  return connect({
    host,
    port: Number(port),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
    ...(sni === undefined ? {} : { servername: sni }),
    ...(cert === undefined ? {} : { cert, key }),
  });
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
