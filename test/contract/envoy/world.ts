/** Two trust domains on loopback with real Envoys: what a test of the generator needs and nothing more. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  base64,
  type ClusterName,
  type FederationName,
  type SpiffeId,
  systemClock,
  type TrustDomain,
  trustDomainOf,
  workloadId,
} from "@hansa/core";
import type { ServicePort } from "@hansa/events";
import { type Authority, createAuthority, newSvid, nodeRandom, toPem } from "@hansa/identity";
import type { ServicePortView, ServingPort, ViewEndpoint, ViewLocality } from "@hansa/model";
import {
  envoyArguments,
  envoyBootstrap,
  type Resources,
  type TlsIdentity,
  type TrustBundles,
} from "@hansa/xds";
import { type Child, startChild } from "../../../deploy/tools/child.ts";
import { envoyBinary } from "../../../deploy/tools/paths.mjs";
import { craftCertificate } from "../../../libs/identity/src/craft-certificate.ts";
import { type StaticAds, serveStatic } from "./static-ads.ts";

export const FEDERATION = "test.hansa" as FederationName;
export const cluster = (name: string): ClusterName => name as ClusterName;
export const domain = (name: string): TrustDomain => trustDomainOf(name, FEDERATION);
export const id = (name: string, sa: string): SpiffeId => workloadId(domain(name), "shop", sa);
export const sniOf = (service: string, port: ServicePort): string =>
  `${port.name}.${service}.shop.svc.${FEDERATION}`;
export const hostOf = (service: string): string => `${service}.shop.svc.clusterset.local`;

export const HTTP: ServicePort = { name: "http", port: 80, protocol: "http" };
export const GRPC: ServicePort = { name: "grpc", port: 9090, protocol: "grpc" };
export const TCP: ServicePort = { name: "db", port: 5432, protocol: "tcp" };

/** A protocol in which the server speaks first. */
export const MAIL: ServicePort = { name: "mail", port: 25, protocol: "tcp" };

export const healthy = (address: string, port: number, weight = 1): ViewEndpoint => ({
  address,
  port,
  weight,
  health: "healthy",
  placeholder: false,
  id: `${address}:${port}`,
});
export const missing = (address: string, weight: number): ViewEndpoint => ({
  ...healthy(address, 9, weight),
  health: "unhealthy",
  placeholder: true,
});

export const locality = (
  name: string,
  priority: number,
  via: ViewLocality["via"],
  endpoints: readonly ViewEndpoint[],
): ViewLocality => ({
  cluster: cluster(name),
  region: `${name}-1`,
  zone: "",
  priority,
  via,
  endpoints,
  healthy: endpoints.length,
  total: endpoints.length,
  link: "normal",
  draining: false,
  reason: "",
  because: [],
});

export const viewOf = (
  service: string,
  port: ServicePort,
  exporters: readonly string[],
  localities: readonly ViewLocality[],
): ServicePortView => ({
  namespace: "shop",
  service,
  port,
  portKey: port.name,
  sni: sniOf(service, port),
  host: hostOf(service),
  exporters: exporters.map((name) => ({
    cluster: cluster(name),
    trustDomain: domain(name),
    allowedIds: [id(name, service)],
  })),
  localities,
  overprovisioning: 143,
  conflicts: [],
});

export const servingOf = (
  service: string,
  port: ServicePort,
  endpoints: readonly ViewEndpoint[],
  callers: ServingPort["callers"] = [],
  exported = true,
): ServingPort => ({
  namespace: "shop",
  service,
  port,
  portKey: port.name,
  sni: sniOf(service, port),
  exported,
  endpoints,
  callers,
});

/** Envoys apply what they acknowledge, connections and ejections follow: asks until it holds. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it did not come to hold within 10 s");
}

export interface RunningProxy {
  readonly ads: StaticAds;
  readonly child: Child;
  /** Everything that Envoy and its access logs wrote. */
  log(): string;
  admin(path: string, method?: string): Promise<string>;
  stat(name: string): Promise<number>;
}

const OCTET_MIN = 200;
const OCTET_MAX = 250;
const LOCK_PORT = 15_999;

export class World {
  readonly dir = mkdtempSync(join(tmpdir(), "hansa-envoy-"));
  readonly authorities = new Map<string, Authority>();
  readonly #octet: number;
  readonly #proxies: RunningProxy[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  #count = 0;

  /** Takes a loopback range 127.<n>.x.x that no other world of this machine holds. */
  static async create(clusters: readonly string[]): Promise<World> {
    for (let octet = OCTET_MIN; octet <= OCTET_MAX; octet += 1) {
      const lock = createServer();
      const free = await new Promise<boolean>((resolve) => {
        lock.once("error", () => resolve(false));
        lock.listen(LOCK_PORT, `127.${octet}.255.254`, () => resolve(true));
      });
      if (!free) continue;
      const world = new World(octet, clusters);
      world.onClose(() => new Promise((resolve) => lock.close(() => resolve())));
      return world;
    }
    throw new Error("no free loopback range");
  }

  private constructor(octet: number, clusters: readonly string[]) {
    this.#octet = octet;
    for (const name of clusters)
      this.authorities.set(
        name,
        createAuthority({ trustDomain: domain(name), clock: systemClock, random: nodeRandom }),
      );
  }

  /** A loopback address of its own for each part. */
  address(of: number, host: number): string {
    return `127.${this.#octet}.${of}.${host}`;
  }

  authority(name: string): Authority {
    const found = this.authorities.get(name);
    if (found === undefined) throw new Error(`no authority ${name}`);
    return found;
  }

  bundles(...names: string[]): TrustBundles {
    return new Map(
      (names.length > 0 ? names : [...this.authorities.keys()]).map((name) => [
        domain(name),
        [base64(this.authority(name).rootDer)],
      ]),
    );
  }

  svid(name: string, sa: string): TlsIdentity {
    return newSvid(this.authority(name), id(name, sa));
  }

  /** A leaf that breaks the one-URI rule, signed by `name`. */
  twoUriLeaf(name: string, ...uris: string[]): TlsIdentity {
    const { der, keyPem } = craftCertificate(this.authority(name), { uris }, Date.now());
    return { certPem: toPem(der), keyPem };
  }

  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async proxy(name: string, adminAddress: string, resources: Resources): Promise<RunningProxy> {
    const file = join(this.dir, `${this.#count++}-${name}`);
    const ads = await serveStatic(`${file}.sock`, resources);
    const bootstrap = envoyBootstrap({
      nodeId: name,
      cluster: "test",
      adsSocketPath: `${file}.sock`,
      admin: { address: adminAddress, port: 15_000 },
      locality: { region: "r", zone: "z" },
    });
    writeFileSync(`${file}.json`, JSON.stringify(bootstrap));
    const admin = async (path: string, method = "GET"): Promise<string> =>
      await (await fetch(`http://${adminAddress}:15000${path}`, { method })).text();
    const child = await startChild({
      argv: [envoyBinary(), ...envoyArguments({ bootstrapPath: `${file}.json`, drainSeconds: 5 })],
      log: `${file}.log`,
      stopSignal: "SIGTERM",
      isReady: async () => (await admin("/ready").catch(() => "")).startsWith("LIVE"),
    });
    const proxy: RunningProxy = {
      ads,
      child,
      log: () => readFileSync(`${file}.log`, "utf8"),
      admin,
      async stat(stat) {
        const line = (
          await admin(`/stats?filter=${encodeURIComponent(`^${stat.replaceAll(".", "\\.")}$`)}`)
        ).trim();
        return line === "" ? 0 : Number(line.slice(line.lastIndexOf(":") + 1));
      },
    };
    this.#proxies.push(proxy);
    return proxy;
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map(({ child }) => child.kill()));
    for (const { ads } of this.#proxies) ads.close();
    for (const close of this.#closers) await close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
