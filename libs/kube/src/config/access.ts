/**
 * The way to one API server: one keep-alive Agent and the headers that authenticate. Owns when credentials are read anew:
 * every 60 s, and at once after the server refused them. A read that fails leaves the last good ones in force.
 *
 * node:https and not undici: measured in turns on one machine, 4 KiB GETs cost 96 and 112 µs of CPU and 20 KiB lines of a watch 20
 * and 23 µs, so the two are alike; undici takes 17 MiB more memory after import. Both keep one connection where client-node's own
 * calls make one per request.
 */
import { Agent } from "node:https";
import { isHansaError } from "@hansa/core";
import { SOCKETS_MAX } from "../client/limits.ts";
import type { KubePorts } from "../ports.ts";
import { type Material, type MaterialSource, sameHeaders, sameTls } from "./material.ts";

/** Bound tokens live ten minutes and more, and are replaced at 80 % of that (KEP-1205). */
const READ_EVERY_MS = 60_000;
/** So that a peer that is gone is found out also where nothing is sent. */
const TCP_KEEP_ALIVE_MS = 30_000;
/** Below the API server's own 90 s, so that a request rarely meets a connection that just closes. */
const IDLE_CONNECTION_MS = 60_000;

export interface Way {
  readonly agent: Agent;
  readonly material: Material;
}

export class Access {
  readonly source: MaterialSource;
  readonly #ports: KubePorts;
  #way: Way | undefined;
  #readMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<Way> | undefined;

  constructor(source: MaterialSource, ports: KubePorts) {
    this.source = source;
    this.#ports = ports;
  }

  /** Throws HSA7004 where credentials were never readable. */
  async way(): Promise<Way> {
    const isFresh = this.#ports.clock.monotonicMs() - this.#readMs < READ_EVERY_MS;
    return this.#way !== undefined && isFresh ? this.#way : await this.#read(false);
  }

  /** The server refused `used` (401). Resolves to another way, or to undefined where there is none to try. */
  async refused(used: Way): Promise<Way | undefined> {
    if (this.#way !== undefined && !sameHeaders(this.#way.material, used.material)) return this.#way;
    const next = await this.#read(true);
    return next.agent === used.agent && sameHeaders(next.material, used.material) ? undefined : next;
  }

  /** A connection failed: the CA or the client certificate may have been replaced. The next request reads them. */
  distrust(): void {
    this.#readMs = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    this.#way?.agent.destroy();
  }

  #read(refused: boolean): Promise<Way> {
    this.#reading ??= this.#readNow(refused).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(refused: boolean): Promise<Way> {
    const { log, metrics, clock } = this.#ports;
    try {
      this.#take(await this.source.read(refused));
      metrics.count("hansa_kube_credential_reads_total", { outcome: "read" });
    } catch (error) {
      metrics.count("hansa_kube_credential_reads_total", { outcome: "failed" });
      if (this.#way === undefined || !isHansaError(error)) throw error;
      log.warn("kube: credentials cannot be read; the last good ones stay in force", {
        code: error.code,
        problem: error.message,
      });
    }
    this.#readMs = clock.monotonicMs();
    return this.#way as Way;
  }

  #take(material: Material): void {
    const before = this.#way;
    if (before !== undefined && sameTls(before.material.tls, material.tls)) {
      this.#way = { agent: before.agent, material };
      return;
    }
    this.#way = { agent: newAgent(material), material };
    if (before === undefined) return;
    this.#ports.log.info("kube: the CA or the client certificate has changed; new connections use it");
    retire(before.agent);
  }
}

function newAgent({ tls }: Material): Agent {
  return new Agent({
    ca: tls.ca,
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    keepAlive: true,
    keepAliveMsecs: TCP_KEEP_ALIVE_MS,
    // Of connections that are free; one that is in use, as by a quiet watch, is not ended by it.
    timeout: IDLE_CONNECTION_MS,
    maxSockets: SOCKETS_MAX,
  });
}

/** What is under way ends by itself, a watch within its time limit; what is idle ends now. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}
