/** Two callers from outside the mesh at us's gateway: one with a forged certificate, one with a real one. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as http2 from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tls from "node:tls";
import { systemClock, trustDomainOf, workloadId } from "@hansa/core";
import { createAuthority, newSvid, nodeRandom } from "@hansa/identity";
import { hansa } from "./cli.ts";

const SNI = "http.pay.shop.svc.lab.hansa";
const TIMEOUT_MS = 5000;

interface Credentials {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Resolves to how it was refused; throws where it was answered. */
export async function forgedCallIsRefused(): Promise<string> {
  const domain = trustDomainOf("eu", "lab.hansa");
  const ports = { clock: systemClock, random: nodeRandom };
  const forger = createAuthority({ trustDomain: domain, ...ports });
  const svid = newSvid(forger, workloadId(domain, "shop", "web"));
  const outcome = await callGateway({ certPem: svid.certPem, keyPem: svid.keyPem });
  if (outcome.answered) throw new Error(`the forged certificate was accepted: ${outcome.detail}`);
  return outcome.detail;
}

/** The positive control: without it, a dead gateway would look like a good defence. */
export async function realCallIsAnswered(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hansa-creds-"));
  try {
    const { status, stderr } = await hansa("lab", "creds", "eu/shop/web", "--out", folder);
    if (status !== 0) throw new Error(`hansa lab creds: ${stderr}`);
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    const outcome = await callGateway({ certPem: read("svid.pem"), keyPem: read("key.pem") });
    if (!outcome.answered) throw new Error(`the real certificate was refused: ${outcome.detail}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function gatewayAddress(): Promise<{ host: string; port: number }> {
  const { json } = await hansa("lab", "status");
  const gateway = json?.items.find((item: { name: string }) => item.name === "us/gateway");
  const [host = "", port = ""] = String(gateway?.ports.mtls).split(":");
  return { host, port: Number(port) };
}

/** One HTTP/2 request with these credentials. The server's certificate is not what is tested here. */
async function callGateway({ certPem, keyPem }: Credentials): Promise<{ answered: boolean; detail: string }> {
  const { host, port } = await gatewayAddress();
  const socket = tls.connect({
    host,
    port,
    servername: SNI,
    cert: certPem,
    key: keyPem,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  const session = http2.connect(`https://${SNI}`, { createConnection: () => socket });
  try {
    return await new Promise((resolve) => {
      const refused = (error: Error & { code?: string }) =>
        resolve({ answered: false, detail: error.code ?? error.message });
      session.once("error", refused);
      session.once("close", () => refused(new Error("connection closed")));
      const request = session.request({ ":path": "/", ":authority": "pay.shop.svc.clusterset.local" });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error("no answer")));
      request.once("error", refused);
      request.once("response", (headers) => {
        const status = Number(headers[":status"]);
        resolve({ answered: status === 200, detail: `status ${status}` });
      });
      request.end();
    });
  } finally {
    session.destroy();
    socket.destroy();
  }
}
