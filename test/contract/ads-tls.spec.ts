// Who may speak to an ADS server over TLS, and for how long.
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { systemClock, trustDomainOf, workloadId } from "@hansa/core";
import { createAuthority, createTlsAuthority, newSvid, nodeRandom, toPem } from "@hansa/identity";
import { beforeEach, describe, expect, test } from "vitest";
import { serve, server } from "./ads-http2-rig.ts";
import { FLAG, FRAME, frame } from "./http2-frames.ts";

const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));

describe("TLS", () => {
  let nowMs: () => number;
  let files: { ca: string; cert: string; key: string };

  beforeEach(async () => {
    const ports = { clock: systemClock, random: nodeRandom };
    const authority = createTlsAuthority("test", ports);
    const { certPem, keyPem } = authority.issueServer(["localhost"]);
    const domain = trustDomainOf("eu", "test.hansa");
    const members = createAuthority({ trustDomain: domain, ...ports });
    const svid = newSvid(members, workloadId(domain, "shop", "web"));
    files = { ca: authority.certPem, cert: svid.certPem, key: svid.keyPem };
    nowMs = () => Date.now();
    const tls = { certPem, keyPem, clientCaPem: toPem(members.rootDer) };
    const clock = { ...systemClock, nowMs: () => nowMs() };
    await serve({ listen: { host: "127.0.0.1", port: 0, tls }, clock });
  });

  /** One connection; answers whether the server has answered a PING on it, and what it may be resumed with. */
  async function dial(options: object): Promise<{ spoke: boolean; reused: boolean; ticket?: Buffer }> {
    const port = Number(server.address.split(":")[1]);
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      servername: "localhost",
      ALPNProtocols: ["h2"],
      ...files,
      ...options,
    });
    socket.on("error", () => {});
    let [spoke, reused, ticket]: [boolean, boolean, Buffer | undefined] = [false, false, undefined];
    socket.on("session", (session: Buffer) => {
      ticket = session;
    });
    socket.on("secureConnect", () => {
      reused = socket.isSessionReused();
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      socket.write(Buffer.concat([frame(FRAME.settings, 0, 0), ping]));
    });
    socket.on("data", (bytes: Buffer) => {
      spoke ||= bytes.includes(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)));
      if (spoke) setTimeout(() => socket.destroy(), 50);
    });
    await new Promise<void>((resolve) => socket.on("close", () => resolve()));
    return { spoke, reused, ...(ticket === undefined ? {} : { ticket }) };
  }

  test("speaks HTTP/2 to members only, from TLS 1.2 on", async () => {
    expect((await dial({})).spoke).toBe(true);
    expect((await dial({ maxVersion: "TLSv1.2" })).spoke).toBe(true);
    expect(
      (await dial({ minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" })).spoke,
    ).toBe(false);
    expect((await dial({ cert: undefined, key: undefined })).spoke).toBe(false);
    expect((await dial({ ALPNProtocols: ["http/1.1"] })).spoke).toBe(false);
  });

  test("who never finishes a handshake does not hold up close", async () => {
    const socket = connectTcp(Number(server.address.split(":")[1]), "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    const startMs = performance.now();
    await server.close();
    expect(performance.now() - startMs).toBeLessThan(3000);
    socket.destroy();
  });

  test("a ticket does not outlive the certificate that it was given for", async () => {
    const { ticket } = await dial({});
    expect(ticket).toBeDefined();
    expect(await dial({ session: ticket })).toMatchObject({ spoke: true, reused: true });
    nowMs = () => Date.now() + 2 * 3_600_000;
    expect(await dial({ session: ticket })).toMatchObject({ spoke: false });
  });
});
