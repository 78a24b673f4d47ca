/**
 * The agent's DNS server: `clusterset.local` by UDP and TCP on every configured address. It answers from what the agent
 * holds, so it needs neither hub nor bus, and asks nobody else: other zones are refused.
 */
import { type Clock, HansaError, type Log, type Metrics, type Random, type Timers } from "@hansa/core";
import type { DnsIndex } from "./imports.ts";
import { Responder } from "./responder.ts";
import { TcpListener } from "./tcp.ts";
import { type Listen, listenUdp } from "./udp.ts";
import { Zone } from "./zone.ts";

const FLUSH_MS = 2000;

export interface DnsOptions {
  readonly listen: readonly Listen[];
  readonly index: DnsIndex;
  readonly ports: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly random: Random;
    readonly log: Log;
    readonly metrics: Metrics;
  };
}

export class DnsServer {
  readonly #closers: (() => void | Promise<void>)[] = [];
  readonly #listeners: TcpListener[] = [];
  /** Where it listens, with the port that port 0 became. */
  readonly addresses: Listen[] = [];

  private constructor() {}

  /** Throws HSA1012 where an address cannot be had. */
  static async start({ listen, index, ports }: DnsOptions): Promise<DnsServer> {
    const hosts = listen.map(({ host }) => host);
    const zone = new Zone(index, Math.floor(ports.clock.nowMs() / 1000), hosts);
    const responder = new Responder(zone, ports);
    const server = new DnsServer();
    try {
      for (const address of listen) await server.#open(address, responder, ports);
    } catch (error) {
      await server.close();
      throw error;
    }
    const flush = ports.timers.every(FLUSH_MS, () => {
      responder.flush();
      const connections = server.#listeners.reduce((sum, listener) => sum + listener.connections, 0);
      ports.metrics.gauge("hansa_dns_connections", connections);
    });
    server.#closers.push(() => flush.cancel());
    ports.log.info("dns: serves clusterset.local", {
      listen: server.addresses.map(({ host, port }) => `${host} port ${port}`).join(", "),
    });
    return server;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  async #open({ host, port }: Listen, responder: Responder, ports: DnsOptions["ports"]): Promise<void> {
    try {
      const tcp = await TcpListener.listen({ host, port }, responder, ports);
      this.#listeners.push(tcp);
      this.#closers.push(() => tcp.close());
      const udp = await listenUdp({ host, port: tcp.port }, responder, ports);
      this.#closers.push(() => udp.close());
      this.addresses.push({ host, port: tcp.port });
    } catch (error) {
      const hint = port < 1024 ? "; ports below 1024 need CAP_NET_BIND_SERVICE" : "";
      throw new HansaError(
        "HSA1012",
        `dns: cannot listen on ${host} port ${port}: ${(error as Error).message}${hint}`,
      );
    }
  }
}
