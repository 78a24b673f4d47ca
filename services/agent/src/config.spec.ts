import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const good = {
  cluster: "eu",
  dataDir: "/var/lib/hansa",
  socketDir: "/run/hansa",
  source: { file: "/etc/hansa/source.yaml" },
  region: "eu-west-1",
  zones: ["a"],
  cidrs: ["10.0.0.0/16"],
  hub: { url: "https://hub:8443" },
  nats: { servers: ["nats:4222"] },
  admin: { host: "127.0.0.1", port: 15_010 },
  gateway: { name: "gw", address: "10.0.0.1", port: 15_443 },
};
const parse = (change: object) => parseConfig(JSON.stringify({ ...good, ...change }), "agent.yaml");

test("defaults are the fixed ports of the mesh", () => {
  expect(parse({})).toMatchObject({
    network: "default",
    namespaces: ["*"],
    sidecar: { outboundPort: 15_001, tcpPortFirst: 16_000, adminPort: 15_000 },
    logLevel: "info",
  });
});

const sidecars = (more: object) => ({
  source: {
    kubernetes: {
      clusterSetIps: ["10.250.0.0/16"],
      sidecars: {
        host: "a",
        listen: { host: "b" },
        webhook: { host: "b" },
        proxyImage: "c",
        rulesImage: "d",
        ...more,
      },
    },
  },
});
const neighbours = (...neighbourCidrs: string[]) => sidecars({ neighbourCidrs });

test("sidecars are permissive, and know no neighbours until they are told", () => {
  expect(parse(sidecars({})).source.kubernetes?.sidecars).toMatchObject({
    inbound: "permissive",
    neighbourCidrs: [],
  });
});

test.each([
  [{ cluster: "hub" }, "cluster"],
  [{ cluster: "EU" }, "cluster"],
  [{ hub: { url: "http://hub" } }, "hub.url"],
  [{ hub: { url: "https://hub", caPin: "12" } }, "hub"],
  [{ zones: [] }, "zones"],
  [{ admin: { host: "127.0.0.1", port: 0 } }, "admin.port"],
  [
    { admin: { host: "x", port: 1, tokens: [{ name: "a", role: "root", sha256: "00" }] } },
    "admin.tokens[0].role",
  ],
  [{ dns: { listen: [] } }, "dns.listen"],
  [{ dns: { listen: [{ host: "localhost" }] } }, "dns.listen[0].host"],
  [{ dns: { listen: [{ host: "::1", port: 0 }] } }, "dns.listen[0].port"],
  [{ surprise: true }, "surprise"],
  [{ source: {} }, "source"],
  [{ source: { file: "f", kubernetes: { clusterSetIps: ["10.250.0.0/16"] } } }, "source"],
  [{ source: { kubernetes: {} } }, "source.kubernetes.clusterSetIps"],
  [{ source: { kubernetes: { clusterSetIps: ["10.250.0.1/16"] } } }, "source.kubernetes.clusterSetIps[0]"],
  [{ source: { kubernetes: { clusterSetIps: ["10.250.0.0/32"] } } }, "source.kubernetes.clusterSetIps[0]"],
  [
    { source: { kubernetes: { clusterSetIps: ["10.250.0.0/16", "10.251.0.0/16"] } } },
    "source.kubernetes.clusterSetIps[1]",
  ],
  [
    { source: { kubernetes: { clusterSetIps: ["10.96.0.0/16"], serviceCidrs: ["10.96.0.0/12"] } } },
    "source.kubernetes.clusterSetIps[0]",
  ],
  [{ gateway: { name: "gw", port: 15_443 } }, "gateway"],
  [{ gateway: { name: "gw", port: 15_443, address: "lb" } }, "gateway.address"],
  [{ gateway: { name: "gw", port: 15_443, address: "1.2.3" } }, "gateway.address"],
  [{ gateway: { name: "gw", port: 15_443, address: "lb.example.com" } }, "gateway: listen"],
  [{ gateway: { name: "gw", port: 15_443, addresses: ["10.0.0.1", "10.0.0.2"] } }, "gateway: listen"],
  [
    { gateway: { name: "gw", port: 15_443, listen: "0.0.0.0", service: { namespace: "a", name: "b" } } },
    "gateway.service",
  ],
  [{ nameServers: ["dns.example.com"] }, "nameServers[0]"],
  [neighbours("10.64.0.0/16", "0.0.0.0/0"), "source.kubernetes.sidecars.neighbourCidrs[1]"],
  [neighbours("10.64.0.0/16", "10.64.1.0/24"), "source.kubernetes.sidecars.neighbourCidrs"],
  [neighbours("fd00::/64"), "source.kubernetes.sidecars.neighbourCidrs[0]"],
])("%j is refused by its place", (change, place) => {
  expect(() => parse(change)).toThrow(new RegExp(`agent.yaml: .*${place.replace(/[[\].]/g, "\\$&")}`));
});

test("a gateway is dialled at addresses and host names of both families", () => {
  const gateway = { name: "gw", port: 15_443, listen: "::", addresses: ["lb.example.com", "fd00::1"] };
  expect(parse({ gateway, nameServers: ["fd00::53", "10.0.0.53:5353", "[fd00::53]:5353"] })).toMatchObject({
    gateway,
  });
});

test("DNS is served where it is asked for, on its own port unless another is named", () => {
  expect(parse({}).dns).toBeUndefined();
  expect(parse({ dns: { listen: [{ host: "::" }] } }).dns).toEqual({ listen: [{ host: "::", port: 53 }] });
});

test("what is no YAML is refused by the file's name", () => {
  expect(() => parseConfig("a: [", "agent.yaml")).toThrow(/agent\.yaml: not YAML or JSON/);
});
