import { expect, test } from "vitest";
import {
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  fromBinary,
  ListenerSchema,
  type Message,
  RouteConfigurationSchema,
  registry,
  toJson,
} from "../../gen/index.ts";
import { inconsistencies } from "./consistency/assert-consistent.ts";
import { domain, endpoint, locality, serving, sidecarInput, sni, view } from "./fixtures.ts";
import { loadAssignmentFor } from "./load-assignment.ts";
import { routesFor } from "./outbound-routes.ts";
import { sidecarResources } from "./sidecar.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into protobuf JSON.
type Tree = any;
const json = (schema: Parameters<typeof toJson>[0], bytes: Uint8Array | undefined): Tree =>
  toJson(schema, fromBinary(schema, bytes as Uint8Array) as Message, { registry });
const httpOptions = (cluster: Tree): Tree =>
  cluster.typedExtensionProtocolOptions?.["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];

test("what is generated is consistent", () => {
  expect(inconsistencies(sidecarResources(sidecarInput()))).toEqual([]);
});

test("equal input gives equal bytes, whatever its order", () => {
  const input = sidecarInput();
  const shuffled = sidecarInput({
    views: [...input.views].reverse(),
    serving: [...input.serving].reverse(),
    bundles: new Map([...input.bundles].reverse()),
  });
  expect(sidecarResources(shuffled)).toEqual(sidecarResources(input));
});

test("a client cluster carries the failover recipe", () => {
  const { clusters } = sidecarResources(sidecarInput());
  const cluster = json(ClusterSchema, clusters.get(sni("pay", "http")));
  expect(cluster).toMatchObject({
    type: "EDS",
    connectTimeout: "1s",
    ignoreHealthOnHostRemoval: true,
    commonLbConfig: { healthyPanicThreshold: {}, updateMergeWindow: "0s" },
    outlierDetection: {
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailure: 1,
      enforcingConsecutiveLocalOriginFailure: 100,
      maxEjectionPercent: 99,
      interval: "0.250s",
      baseEjectionTime: "0.500s",
      maxEjectionTime: "5s",
    },
  });
  expect(cluster.circuitBreakers.thresholds[0].maxRetries).toBe(1024);
  expect(httpOptions(cluster).explicitHttpConfig.http2ProtocolOptions.allowConnect).toBe(true);
  expect(
    Number.parseFloat(httpOptions(cluster).commonHttpProtocolOptions.maxConnectionDuration),
  ).toBeLessThanOrEqual(900);
});

test("connections end early only where a gateway is behind the cluster", () => {
  const near = view("pay", "http", { localities: [locality("eu", 0)] });
  const { clusters } = sidecarResources(sidecarInput({ views: [near, view("quote", "grpc")] }));
  const limit = (name: string): unknown =>
    httpOptions(json(ClusterSchema, clusters.get(name))).commonHttpProtocolOptions.maxRequestsPerConnection;
  expect(limit(sni("pay", "http"))).toBeUndefined();
  expect(limit(sni("quote", "grpc"))).toBe(50);
});

test("each exporter has its own trust domain and ids; TCP offers no ALPN", () => {
  const { clusters, secrets } = sidecarResources(sidecarInput());
  for (const [name, alpn] of [
    [sni("pay", "http"), ["h2"]],
    [sni("ledger", "tcp"), undefined],
  ] as const) {
    const cluster = json(ClusterSchema, clusters.get(name));
    expect(cluster.transportSocketMatches.map((match: Tree) => match.name)).toEqual(["eu", "us"]);
    for (const { name: exporter, match, transportSocket } of cluster.transportSocketMatches) {
      const context = transportSocket.typedConfig;
      const combined = context.commonTlsContext.combinedValidationContext;
      expect(match).toEqual({ cluster: exporter });
      expect(context.sni).toBe(name);
      expect(context.commonTlsContext.alpnProtocols).toEqual(alpn);
      expect(combined.validationContextSdsSecretConfig.name).toBe(`bundle/${domain(exporter)}`);
      expect(combined.defaultValidationContext.matchTypedSubjectAltNames).toEqual([
        {
          sanType: "URI",
          matcher: { exact: `spiffe://${domain(exporter)}/ns/shop/sa/${name.split(".")[1]}` },
        },
      ]);
      expect(secrets.has(`bundle/${domain(exporter)}`)).toBe(true);
    }
    expect(cluster.transportSocket).toEqual(cluster.transportSocketMatches[0].transportSocket);
  }
});

test("an exporter without ids or without a known bundle gets neither trust nor endpoints", () => {
  const known = sidecarInput().bundles;
  const bundles = new Map([...known].filter(([name]) => name !== domain("us")));
  const resources = sidecarResources(sidecarInput({ bundles }));
  expect(inconsistencies(resources)).toEqual([]);
  const cluster = json(ClusterSchema, resources.clusters.get(sni("pay", "http")));
  expect(cluster.transportSocketMatches.map((match: Tree) => match.name)).toEqual(["eu"]);
  const endpoints = json(ClusterLoadAssignmentSchema, resources.endpoints.get(sni("pay", "http"))).endpoints;
  expect(endpoints.map((group: Tree) => group.locality.subZone)).toEqual(["eu"]);
  const none = sidecarResources(sidecarInput({ views: [view("pay", "http", { exporters: [] })] }));
  expect(none.clusters.has(sni("pay", "http"))).toBe(false);
  expect(inconsistencies(none)).toEqual([]);
});

test("placeholders count, are never healthy, and weights stay in Envoy's range", () => {
  const group = locality("us", 0, {
    endpoints: [
      endpoint("10.0.0.9", { weight: 3 }),
      endpoint("192.0.2.1", { port: 9, weight: 7e9, placeholder: true, health: "healthy" }),
    ],
  });
  const assignment = json(
    ClusterLoadAssignmentSchema,
    loadAssignmentFor(view("pay", "http", { localities: [group] })),
  );
  expect(assignment.policy).toEqual({ overprovisioningFactor: 143, weightedPriorityHealth: true });
  const [real, stand] = assignment.endpoints[0].lbEndpoints;
  expect([real.healthStatus, real.loadBalancingWeight]).toEqual(["HEALTHY", 3]);
  expect([stand.healthStatus, stand.loadBalancingWeight]).toEqual(["UNHEALTHY", 100_000]);
  expect(real.metadata.filterMetadata["envoy.transport_socket_match"]).toEqual({ cluster: "us" });
});

test("no endpoint of another cluster can make Envoy refuse an assignment", () => {
  const bad = locality("us", 1, {
    endpoints: [
      endpoint("not an address"),
      endpoint("10.0.0.5", { port: 0 }),
      endpoint("10.0.0.5", { port: 70_000 }),
      endpoint("10.0.0.5", { weight: -4 }),
      endpoint("10.0.0.5", { weight: 2, id: "twin" }),
    ],
  });
  const stranger = locality("xx", 0, { endpoints: [endpoint("10.9.9.9")] });
  const { endpoints } = json(
    ClusterLoadAssignmentSchema,
    loadAssignmentFor(view("pay", "http", { localities: [bad, stranger] })),
  );
  expect(endpoints).toHaveLength(1);
  expect(endpoints[0].lbEndpoints).toHaveLength(1);
  expect(endpoints[0].lbEndpoints[0].loadBalancingWeight).toBe(1);
});

test("hosts are exact; the bare host is the service's first HTTP port", () => {
  const views = [view("pay", "tcp"), view("pay", "grpc"), view("pay", "http")];
  const table = json(RouteConfigurationSchema, routesFor(views));
  const host = "pay.shop.svc.clusterset.local";
  expect(Object.fromEntries(table.virtualHosts.map(({ name, domains }: Tree) => [name, domains]))).toEqual({
    [sni("pay", "grpc")]: [host, `${host}:9090`],
    [sni("pay", "http")]: [`${host}:80`],
    "unknown-host": ["*"],
  });
});

test("only idempotent methods are repeated after a server may have acted", () => {
  const table = json(RouteConfigurationSchema, routesFor([view("pay", "http"), view("quote", "grpc")]));
  const routes = (name: string): Tree[] => table.virtualHosts.find((host: Tree) => host.name === name).routes;
  const retryOn = (route: Tree): string[] => route.route.retryPolicy.retryOn.split(",");
  const [idempotent, rest] = routes(sni("pay", "http"));
  expect(idempotent.match.headers[0]).toMatchObject({ name: ":method" });
  expect(retryOn(idempotent)).toEqual(expect.arrayContaining(["reset", "gateway-error"]));
  const [rpc] = routes(sni("quote", "grpc"));
  for (const route of [rest, rpc])
    for (const unsafe of ["reset", "gateway-error", "5xx", "unavailable", "retriable-status-codes"])
      expect(retryOn(route)).not.toContain(unsafe);
  expect([rpc.route.timeout, rpc.route.idleTimeout]).toEqual(["0s", "0s"]);
  expect(rest.route.retryPolicy).toMatchObject({
    retryHostPredicate: [{ name: "envoy.retry_host_predicates.previous_hosts" }],
    retryPriority: { name: "envoy.retry_priorities.previous_priorities" },
  });
});

test("a served port without an application has no chain; a TCP port without a local port has no listener", () => {
  const { listeners } = sidecarResources(
    sidecarInput({ serving: [serving("pay", "http"), serving("cart", "http")], tcpPorts: new Map() }),
  );
  const inbound = json(ListenerSchema, listeners.get("inbound"));
  expect(inbound.filterChains.map((chain: Tree) => chain.name)).toEqual([sni("pay", "http")]);
  expect([...listeners.keys()]).toEqual(["inbound", "outbound"]);
});

test("connections end in order: client, server, stream", () => {
  const { clusters, listeners } = sidecarResources(sidecarInput());
  const seconds = (text: string): number => Number.parseFloat(text);
  const client = httpOptions(json(ClusterSchema, clusters.get(sni("pay", "http")))).commonHttpProtocolOptions;
  const inbound = json(ListenerSchema, listeners.get("inbound"));
  const server = inbound.filterChains[0].filters[1].typedConfig.commonHttpProtocolOptions;
  expect(seconds(client.maxConnectionDuration)).toBeLessThan(seconds(server.maxConnectionDuration));
  expect(seconds(server.maxConnectionDuration)).toBeLessThanOrEqual(15 * 60);
  const all = seconds(server.maxConnectionDuration) + seconds(server.maxStreamDuration);
  expect(all).toBeLessThan(3600);
});

test("the own trust domain's roots are demanded", () => {
  const bundles = new Map([[domain("us"), ["cm9vdA=="]]]);
  expect(() => sidecarResources(sidecarInput({ bundles, serving: [] }))).toThrow(
    /bundles\/inbound: no roots/,
  );
});
