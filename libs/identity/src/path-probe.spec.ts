/** A peer behind a path that loses full-size packets is one that never reads a message of several: it hears of no end. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { systemClock, systemTimers } from "@hansa/core";
import { afterEach, describe, expect, it } from "vitest";
import { nodeRandom } from "./node-crypto.ts";
import { type PathTarget, pathTo, probePath } from "./path-probe.ts";
import { createTlsAuthority } from "./tls-authority.ts";

const FULL_BYTES = 1400;
const INFO = 'INFO {"auth_required":true}\r\n';
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const authority = createTlsAuthority("hub", { clock: systemClock, random: nodeRandom });
const tls = (): Server => {
  const { certPem: cert, keyPem: key } = authority.issueServer(["localhost"]);
  return createTlsServer({ cert, key, ALPNProtocols: ["h2"] }).on("tlsClientError", () => {});
};
const nats = (): Server =>
  createServer((socket) => {
    socket.write(INFO);
    let text = "";
    socket.on("data", (piece) => {
      text += String(piece);
      if (text.includes("\r\n")) socket.end("-ERR 'Authorization Violation'\r\n");
    });
  });
/** Answers what fits into one packet. */
const narrow = (greeting = ""): Server =>
  createServer((socket) => {
    socket.write(greeting);
    socket.once("data", (piece: Buffer) => {
      if (piece.length <= FULL_BYTES) socket.end("answered");
    });
  });

const probe = (port: number, speaks: PathTarget["speaks"]) =>
  probePath({ host: "127.0.0.1", port, speaks, timeoutMs: 300 }, systemTimers);

describe("a path", () => {
  it("passes large messages: the answer may be a refusal", async () => {
    expect(await probe(await listening(tls()), "tls")).toEqual({ kind: "passes" });
    expect(await probe(await listening(nats()), "nats")).toEqual({ kind: "passes" });
  });

  it("is narrow where small ones are answered and large ones are not", async () => {
    expect(await probe(await listening(narrow()), "tls")).toEqual({ kind: "narrow" });
    expect(await probe(await listening(narrow(INFO)), "nats")).toEqual({ kind: "narrow" });
    expect(await probe(await listening(narrow(INFO)), "nats-tls")).toEqual({ kind: "narrow" });
  });

  it("is not said to be narrow where nobody answers anything", async () => {
    const port = await listening(createServer(() => {}));
    expect(await probe(port, "tls")).toMatchObject({ kind: "silent" });
    expect(await probe(port, "nats")).toMatchObject({ kind: "silent" });
  });

  it("that leads to nobody is silent, and says why", async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await probe(port, "tls")).toEqual({
      kind: "silent",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});

it.each([
  ["https://hub.example.com", "hub.example.com", 443, "tls"],
  ["https://[fd00::1]:8443", "fd00::1", 8443, "tls"],
  ["nats://10.0.0.1:4333", "10.0.0.1", 4333, "nats"],
  ["tls://nats.example.com", "nats.example.com", 4222, "nats-tls"],
  ["nats:4222", "nats", 4222, "nats"],
])("%s is %s, port %i, by %s", (url, host, port, speaks) => {
  expect(pathTo(url)).toEqual({ host, port, speaks });
});
