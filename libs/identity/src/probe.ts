/**
 * One importer's own look at a gateway: TCP, then mTLS by the probe's SNI, then the SPIFFE id, then an HTTP answer.
 * TLS 1.3 servers refuse a client only after its handshake, so nothing before the answer proves anything
 * (envoy-dataplane §5). Owns one kept connection; says nothing about liveness.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock, SpiffeId, TimerHandle, Timers } from "@hansa/core";
import { inspectSvid } from "./inspect.ts";
import { toPem } from "./pem.ts";
import type { Svid } from "./svid.ts";

export type ProbeStage = "tcp" | "tls" | "san" | "http";

export type ProbeResult =
  | { readonly ok: true; readonly rttMs: number }
  | { readonly ok: false; readonly stage: ProbeStage; readonly message: string };

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly sni: string;
  /** DER of the roots of exactly the expected id's trust domain. */
  readonly roots: readonly Uint8Array[];
  readonly expectedId: SpiffeId;
  readonly svid: Pick<Svid, "certPem" | "keyPem">;
  readonly timeoutMs: number;
}

export interface ProbePorts {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Exact path that the gateway's probe chain answers. */
export const PROBE_PATH = "/probe";
const ANSWER_BYTES_MAX = 4096;

interface Connection {
  readonly socket: TLSSocket;
  readonly rttMs: number;
}

class StageError extends Error {
  readonly stage: ProbeStage;
  constructor(stage: ProbeStage, message: string) {
    super(message);
    this.stage = stage;
  }
}

/** Settles `work` or fails it at `stage()` when time is up; the socket is destroyed then. */
function within<Value>(
  ports: ProbePorts,
  timeoutMs: number,
  socket: Socket,
  stage: () => ProbeStage,
  work: (resolve: (value: Value) => void, reject: (error: StageError) => void) => void,
): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    let timer: TimerHandle | undefined;
    const fail = (error: StageError): void => {
      timer?.cancel();
      socket.destroy();
      reject(error);
    };
    const done = (value: Value): void => {
      timer?.cancel();
      resolve(value);
    };
    timer = ports.timers.after(timeoutMs, () =>
      fail(new StageError(stage(), `no answer within ${timeoutMs} ms`)),
    );
    work(done, fail);
  });
}

function openTcp(ports: ProbePorts, target: ProbeTarget): Promise<{ socket: Socket; rttMs: number }> {
  const startMs = ports.clock.monotonicMs();
  const socket = connectTcp({ host: target.address, port: target.port, noDelay: true });
  return within(
    ports,
    target.timeoutMs,
    socket,
    () => "tcp",
    (resolve, reject) => {
      socket.once("connect", () => resolve({ socket, rttMs: ports.clock.monotonicMs() - startMs }));
      socket.on("error", (error) => reject(new StageError("tcp", error.message)));
    },
  );
}

function openTls(ports: ProbePorts, target: ProbeTarget, tcp: Socket): Promise<TLSSocket> {
  const socket = connectTls({
    socket: tcp,
    servername: target.sni,
    ca: target.roots.map(toPem),
    cert: target.svid.certPem,
    key: target.svid.keyPem,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    // The name to check is the SPIFFE id, not a host name.
    checkServerIdentity(_host, certificate) {
      const leaf = inspectSvid(Uint8Array.from(certificate.raw));
      if (leaf.kind === "refused") return new StageError("san", leaf.message);
      return leaf.spiffeId === target.expectedId
        ? undefined
        : new StageError("san", `it is ${leaf.spiffeId}, not ${target.expectedId}`);
    },
  });
  return within(
    ports,
    target.timeoutMs,
    socket,
    () => "tls",
    (resolve, reject) => {
      socket.once("secureConnect", () => resolve(socket));
      socket.on("error", (error) =>
        reject(error instanceof StageError ? error : new StageError("tls", error.message)),
      );
      socket.once("close", () => reject(new StageError("tls", "closed during the handshake")));
    },
  );
}

/** A TLS alert after the client's own handshake arrives here: it belongs to stage `tls`. */
const stageOf = (error: Error): ProbeStage => (/alert|certificate|SSL/i.test(error.message) ? "tls" : "http");

function ask(ports: ProbePorts, target: ProbeTarget, socket: TLSSocket): Promise<void> {
  return within<void>(
    ports,
    target.timeoutMs,
    socket,
    () => "http",
    (resolve, reject) => {
      let answer = "";
      const stop = (): void => {
        socket.off("data", onData);
        socket.off("error", onError);
        socket.off("close", onClose);
      };
      const onError = (error: Error): void => {
        stop();
        reject(new StageError(stageOf(error), error.message));
      };
      const onClose = (): void => {
        stop();
        reject(new StageError("http", "closed before the answer"));
      };
      const onData = (chunk: Buffer): void => {
        answer += chunk.toString("latin1");
        const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
        const bodyAt = answer.indexOf("\r\n\r\n");
        if (bodyAt < 0 && answer.length < ANSWER_BYTES_MAX) return;
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(answer)?.[1] ?? 0);
        if (bodyAt >= 0 && answer.length < bodyAt + 4 + length && answer.length < ANSWER_BYTES_MAX) return;
        stop();
        if (status === "200") resolve();
        else reject(new StageError("http", `status ${status ?? "unreadable"} instead of 200`));
      };
      socket.on("data", onData);
      socket.on("error", onError);
      socket.on("close", onClose);
      socket.write(`GET ${PROBE_PATH} HTTP/1.1\r\nHost: ${target.sni}\r\nContent-Length: 0\r\n\r\n`);
    },
  );
}

async function open(ports: ProbePorts, target: ProbeTarget): Promise<Connection> {
  const tcp = await openTcp(ports, target);
  const socket = await openTls(ports, target, tcp.socket);
  socket.removeAllListeners("close");
  socket.on("error", () => socket.destroy());
  return { socket, rttMs: tcp.rttMs };
}

const failed = (error: unknown): ProbeResult => {
  if (error instanceof StageError) return { ok: false, stage: error.stage, message: error.message };
  return { ok: false, stage: "tls", message: error instanceof Error ? error.message : String(error) };
};

/** One probe on a fresh connection. Round trip = time of the TCP connect. */
export async function probeGateway(target: ProbeTarget, ports: ProbePorts): Promise<ProbeResult> {
  let connection: Connection | undefined;
  try {
    connection = await open(ports, target);
    await ask(ports, target, connection.socket);
    return { ok: true, rttMs: connection.rttMs };
  } catch (error) {
    return failed(error);
  } finally {
    connection?.socket.destroy();
  }
}

/** Probes one gateway again and again on a kept connection, with a full handshake at least every `handshakeEveryMs`. */
export class GatewayProber {
  private readonly ports: ProbePorts;
  private readonly handshakeEveryMs: number;
  private kept: (Connection & { readonly key: string; readonly openedMs: number }) | undefined;

  constructor(ports: ProbePorts, handshakeEveryMs = 30_000) {
    this.ports = ports;
    this.handshakeEveryMs = handshakeEveryMs;
  }

  async probe(target: ProbeTarget): Promise<ProbeResult> {
    const key = `${target.address} ${target.port} ${target.sni} ${target.expectedId} ${target.roots.length} ${target.svid.certPem}`;
    const nowMs = this.ports.clock.monotonicMs();
    const kept = this.kept;
    if (kept !== undefined) {
      const usable =
        !kept.socket.destroyed && kept.key === key && nowMs - kept.openedMs < this.handshakeEveryMs;
      if (!usable) this.close();
    }
    try {
      this.kept ??= { ...(await open(this.ports, target)), key, openedMs: nowMs };
      await ask(this.ports, target, this.kept.socket);
      return { ok: true, rttMs: this.kept.rttMs };
    } catch (error) {
      this.close();
      return failed(error);
    }
  }

  close(): void {
    this.kept?.socket.destroy();
    this.kept = undefined;
  }
}
