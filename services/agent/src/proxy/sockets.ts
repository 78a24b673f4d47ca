/**
 * One unix socket per proxy, in a folder that only the agent's user may enter: the socket is the proxy's credential.
 * A socket is opened again only after the one before it at the same path is gone.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type AdsServer, serveAds } from "@hansa/ads";
import { HansaError } from "@hansa/core";
import type { ResourceLayer } from "@hansa/xds";
import type { Ports } from "../ports.ts";
import type { LocalProxy } from "./inventory.ts";
import type { ProxyServer } from "./plane-options.ts";

/** `sun_path` of Linux. */
const PATH_BYTES_MAX = 107;

export class ProxySockets {
  readonly #directory: string;
  readonly #ports: Pick<Ports, "clock" | "timers" | "log" | "metrics">;
  readonly #closing = new Map<string, Promise<void>>();

  constructor(directory: string, ports: Pick<Ports, "clock" | "timers" | "log" | "metrics">) {
    this.#directory = directory;
    this.#ports = ports;
    if (Buffer.byteLength(this.adminPath("")) > PATH_BYTES_MAX)
      throw new HansaError(
        "HSA1004",
        `socketDir: ${directory} is too long for unix sockets (${PATH_BYTES_MAX} bytes with the file); use a shorter one`,
      );
  }

  /** Stable over restarts, so that a running Envoy finds its agent again. */
  path(proxyId: string): string {
    return this.#file(proxyId, "sock");
  }

  /** Where a proxy that serves on no loopback address of its own has its admin interface. */
  adminPath(proxyId: string): string {
    return this.#file(proxyId, "admin");
  }

  #file(proxyId: string, kind: "sock" | "admin"): string {
    const name = createHash("sha256").update(proxyId).digest("hex").slice(0, 16);
    return join(this.#directory, `${name}.${kind}`);
  }

  serve(proxy: LocalProxy, layers: readonly ResourceLayer[], onAck: () => void): ProxyServer {
    const path = this.path(proxy.id);
    let server: AdsServer | undefined;
    const opened = (this.#closing.get(path) ?? Promise.resolve())
      .then(() =>
        serveAds({
          listen: { path },
          layers,
          owner: proxy.id,
          ...this.#ports,
          onAck,
          onNack: onAck,
          onEnd: onAck,
        }),
      )
      .then((open) => {
        server = open;
      })
      .catch((error: unknown) => {
        this.#ports.log.error("xds: a proxy's socket cannot be opened", {
          proxy: proxy.id,
          path,
          reason: String(error),
        });
      });
    return {
      ackedRevision: () => server?.ackedRevision(),
      status: () => server?.status() ?? { streams: 0, types: [] },
      close: () => {
        const closed = opened.then(() => server?.close());
        this.#closing.set(path, closed);
        return closed;
      },
    };
  }
}
