import { X509Certificate } from "node:crypto";
import { createServer, request } from "node:https";
import { systemClock } from "@hansa/core";
import { expect, test } from "vitest";
import { nodeRandom } from "./node-crypto.ts";
import { fromPem } from "./pem.ts";
import { createTlsAuthority, loadTlsAuthority } from "./tls-authority.ts";

const ports = { clock: systemClock, random: nodeRandom };

test("a server certificate is accepted for its names under its root, and for no other", async () => {
  const authority = createTlsAuthority("hub", ports);
  const certificate = authority.issueServer(["127.0.0.1", "localhost", "::1"]);
  const server = createServer(
    { cert: certificate.certPem, key: certificate.keyPem },
    (_in, out) => void out.end("ok"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const ask = (ca: string, servername?: string) =>
    new Promise<number | string>((resolve) => {
      const options = { host: "127.0.0.1", port, ca, ...(servername === undefined ? {} : { servername }) };
      request(options, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message))
        .end();
    });
  expect(await ask(authority.certPem)).toBe(200);
  expect(await ask(authority.certPem, "localhost")).toBe(200);
  expect(await ask(authority.certPem, "evil.example")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await ask(createTlsAuthority("hub", ports).certPem)).not.toBe(200);
  server.close();
});

test("IPv6 names are encoded as addresses", () => {
  const [leaf = new Uint8Array()] = fromPem(
    createTlsAuthority("hub", ports).issueServer(["fd00::12:3"]).certPem,
  );
  expect(new X509Certificate(leaf).subjectAltName).toBe("IP Address:FD00:0:0:0:0:0:12:3");
});

test("an authority comes back from its PEMs", () => {
  const authority = createTlsAuthority("hub", ports);
  const loaded = loadTlsAuthority({ ...ports, keyPem: authority.exportKey(), certPem: authority.certPem });
  const [leaf = new Uint8Array()] = fromPem(loaded.issueServer(["localhost"]).certPem);
  expect(new X509Certificate(leaf).verify(new X509Certificate(authority.certPem).publicKey)).toBe(true);
  const other = createTlsAuthority("hub", ports);
  expect(() => loadTlsAuthority({ ...ports, keyPem: other.exportKey(), certPem: authority.certPem })).toThrow(
    /does not belong/,
  );
});
