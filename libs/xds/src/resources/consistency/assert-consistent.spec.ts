/** One mutation per invariant: each must be found, and named. */
import { isHansaError } from "@hansa/core";
import { expect, test } from "vitest";
import {
  anyPack,
  anyUnpack,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  create,
  type DescMessage,
  DownstreamTlsContextSchema,
  type FilterChain,
  fromBinary,
  HttpConnectionManagerSchema,
  HttpRBACSchema,
  ListenerSchema,
  type MessageShape,
  NetworkRBACSchema,
  RouteConfigurationSchema,
  SecretSchema,
  TcpProxySchema,
  TypedExtensionConfigSchema,
  toBinary,
  UpstreamTlsContextSchema,
} from "../../../gen/index.ts";
import { TYPE_URL } from "../../type-urls.ts";
import { gatewayInput, sidecarInput, sni } from "../fixtures.ts";
import { gatewayResources } from "../gateway.ts";
import { sidecarResources } from "../sidecar.ts";
import type { Resources } from "../types.ts";
import {
  assertConsistent,
  type FindResource,
  inconsistencies,
  inconsistenciesOf,
} from "./assert-consistent.ts";

const PAY = sni("pay", "http");

function changed<Desc extends DescMessage>(
  resources: Resources,
  kind: keyof Resources,
  name: string,
  schema: Desc,
  change: (message: MessageShape<Desc>) => void,
): Resources {
  const message = fromBinary(schema, resources[kind].get(name) as Uint8Array);
  change(message);
  return { ...resources, [kind]: new Map(resources[kind]).set(name, toBinary(schema, message)) };
}

/** Rewrites a packed part in place. */
function repack<Desc extends DescMessage>(
  // biome-ignore lint/suspicious/noExplicitAny: a oneof that holds an Any.
  holder: any,
  schema: Desc,
  change: (message: MessageShape<Desc>) => void,
): void {
  const message = anyUnpack(holder.configType.value, schema) as MessageShape<Desc>;
  change(message);
  holder.configType = { case: "typedConfig", value: anyPack(schema, message) };
}

const without = (resources: Resources, kind: keyof Resources, name: string): Resources => {
  const rest = new Map(resources[kind]);
  rest.delete(name);
  return { ...resources, [kind]: rest };
};

const good = sidecarResources(sidecarInput());
const cluster = (change: Parameters<typeof changed<typeof ClusterSchema>>[4]): Resources =>
  changed(good, "clusters", PAY, ClusterSchema, change);
const inboundChain = (change: (chain: FilterChain) => void, name = PAY): Resources =>
  changed(good, "listeners", "inbound", ListenerSchema, (listener) => {
    change(listener.filterChains.find((chain) => chain.name === name) as FilterChain);
  });
// biome-ignore lint/suspicious/noExplicitAny: a mutation of generated messages.
const upstream = (change: (common: any) => void): Resources =>
  cluster((message) =>
    repack(message.transportSocketMatches[0]?.transportSocket, UpstreamTlsContextSchema, (tls) =>
      change(tls.commonTlsContext),
    ),
  );
// biome-ignore lint/suspicious/noExplicitAny: a mutation of generated messages.
const downstream = (change: (tls: any) => void): Resources =>
  inboundChain((chain) => repack(chain.transportSocket, DownstreamTlsContextSchema, change));

const CASES: readonly (readonly [string, () => Resources, RegExp])[] = [
  ["missing endpoints", () => without(good, "endpoints", PAY), /refers to endpoints .* does not exist/],
  ["missing own certificate", () => without(good, "secrets", "svid"), /refers to secrets svid/],
  ["missing roots", () => without(good, "secrets", "bundle/us.lab.hansa"), /refers to secrets bundle\/us/],
  ["missing routes", () => without(good, "routes", "outbound"), /refers to routes outbound/],
  [
    "missing policy",
    () => without(good, "extensionConfigs", `rbac/${PAY}`),
    /refers to extensionConfigs rbac/,
  ],
  ["missing black hole", () => without(good, "clusters", "BlackHole"), /refers to clusters BlackHole/],
  [
    "route to nowhere",
    () => without(good, "clusters", sni("quote", "grpc")),
    /routes outbound: refers to clusters/,
  ],
  [
    "wrong name",
    () =>
      cluster((c) => {
        c.name = "other";
      }),
    /is named other/,
  ],
  ["merge window", () => cluster((c) => void delete c.commonLbConfig?.updateMergeWindow), /merge window/],
  ["panic", () => cluster((c) => void delete c.commonLbConfig?.healthyPanicThreshold), /panic threshold/],
  [
    "removal",
    () =>
      cluster((c) => {
        c.ignoreHealthOnHostRemoval = false;
      }),
    /ignore_health_on_host_removal/,
  ],
  ["breakers", () => cluster((c) => void delete c.circuitBreakers), /max_retries/],
  ["outlier detection", () => cluster((c) => void delete c.outlierDetection), /no outlier detection/],
  ["plaintext upstream", () => cluster((c) => void delete c.transportSocket), /upstream without TLS/],
  [
    "no exporter",
    () =>
      cluster((c) => {
        c.transportSocketMatches = [];
      }),
    /no exporter/,
  ],
  [
    "no allowed ids",
    () =>
      upstream((tls) => {
        tls.validationContextType.value.defaultValidationContext.matchTypedSubjectAltNames = [];
      }),
    /admits every identity/,
  ],
  [
    "prefix of ids",
    () =>
      upstream((tls) => {
        const [first] = tls.validationContextType.value.defaultValidationContext.matchTypedSubjectAltNames;
        first.matcher.matchPattern = { case: "prefix", value: "spiffe://eu.lab.hansa/" };
      }),
    /not an exact SPIFFE id/,
  ],
  [
    "roots beyond the ids",
    () =>
      upstream((tls) => {
        tls.validationContextType.value.validationContextSdsSecretConfig.name = "bundles/inbound";
      }),
    /trusts us.lab.hansa beyond its ids/,
  ],
  [
    "endpoint of no exporter",
    () =>
      changed(good, "endpoints", PAY, ClusterLoadAssignmentSchema, (message) => {
        const endpoint = message.endpoints[0]?.lbEndpoints[0];
        if (endpoint?.metadata)
          endpoint.metadata.filterMetadata = { "envoy.transport_socket_match": { cluster: "xx" } };
      }),
    /endpoint of xx matches no exporter/,
  ],
  [
    "weights off",
    () =>
      changed(good, "endpoints", PAY, ClusterLoadAssignmentSchema, (message) => void delete message.policy),
    /weights do not count/,
  ],
  [
    "twin address",
    () =>
      changed(good, "endpoints", PAY, ClusterLoadAssignmentSchema, (message) => {
        const all = message.endpoints[0]?.lbEndpoints;
        if (all?.[0]) all.push(all[0]);
      }),
    /twice/,
  ],
  [
    "no client certificate",
    () =>
      downstream((tls) => {
        tls.requireClientCertificate = false;
      }),
    /client certificate/,
  ],
  [
    "no spiffe:// guard",
    () =>
      downstream((tls) => {
        tls.commonTlsContext.validationContextType.value.defaultValidationContext.matchTypedSubjectAltNames =
          [];
      }),
    /admits every identity/,
  ],
  [
    "plain validation context",
    () =>
      downstream((tls) => {
        tls.commonTlsContext.validationContextType = { case: undefined };
      }),
    /without a validation secret/,
  ],
  ["no one-URI guard", () => inboundChain((chain) => void chain.filters.shift()), /one-URI guard/],
  [
    "policy off",
    () =>
      inboundChain(
        (chain) => repack(chain.filters[1], NetworkRBACSchema, (rbac) => void delete rbac.matcher),
        sni("pay", "tcp"),
      ),
    /network RBAC has no rules/,
  ],
  [
    "no HTTP policy",
    () =>
      inboundChain((chain) =>
        repack(chain.filters[1], HttpConnectionManagerSchema, (m) => void m.httpFilters.shift()),
      ),
    /access policy is not the first/,
  ],
  [
    "XFCC passes",
    () =>
      inboundChain((chain) =>
        repack(chain.filters[1], HttpConnectionManagerSchema, (m) => {
          m.forwardClientCertDetails = 2;
        }),
      ),
    /XFCC/,
  ],
  [
    "twin chain",
    () =>
      changed(good, "listeners", "inbound", ListenerSchema, (listener) => {
        if (listener.filterChains[0]) listener.filterChains.push(listener.filterChains[0]);
      }),
    /unnamed or twice/,
  ],
  [
    "default chain leads on",
    () =>
      changed(good, "listeners", "inbound", ListenerSchema, (listener) =>
        repack(listener.defaultFilterChain?.filters[0], TcpProxySchema, (proxy) => {
          proxy.clusterSpecifier = { case: "cluster", value: `app/${PAY}` };
        }),
      ),
    /default chain leads somewhere/,
  ],
  [
    "empty HTTP policy",
    () =>
      changed(good, "extensionConfigs", `rbac/${PAY}`, TypedExtensionConfigSchema, (config) => {
        config.typedConfig = anyPack(HttpRBACSchema, create(HttpRBACSchema));
      }),
    /HTTP RBAC has no rules/,
  ],
  [
    "empty secret",
    () =>
      changed(good, "secrets", "bundles/inbound", SecretSchema, (secret) => {
        if (secret.type.case === "validationContext") delete secret.type.value.customValidatorConfig;
      }),
    /validates nothing/,
  ],
  [
    "certificate without a key",
    () =>
      changed(good, "secrets", "svid", SecretSchema, (secret) => {
        if (secret.type.case === "tlsCertificate") delete secret.type.value.privateKey;
      }),
    /no key/,
  ],
  [
    "twin domain",
    () =>
      changed(good, "routes", "outbound", RouteConfigurationSchema, (routes) => {
        routes.virtualHosts[0]?.domains.push("*");
      }),
    /domain \* twice/,
  ],
];

test.each(CASES)("%s is found", (_name, mutate, expected) => {
  expect(inconsistencies(mutate()).join("\n")).toMatch(expected);
});

test("only exported names pass a gateway, each to its own cluster", () => {
  const resources = gatewayResources(gatewayInput());
  expect(inconsistencies(resources, { exported: new Set([PAY]) }).join()).toMatch(
    /tcp\.pay.* is not exported/,
  );
  const crossed = changed(resources, "listeners", "gateway", ListenerSchema, (listener) => {
    const chain = listener.filterChains.find((one) => one.name === PAY);
    repack(chain?.filters[0], TcpProxySchema, (proxy) => {
      proxy.clusterSpecifier = { case: "cluster", value: `passthrough/${sni("pay", "tcp")}` };
    });
  });
  expect(inconsistencies(crossed).join()).toMatch(/http\.pay.* is passed to passthrough\/tcp/);
});

test("the check throws HSA5002 and says what and where", () => {
  const broken = without(without(good, "secrets", "svid"), "routes", "outbound");
  let thrown: unknown;
  try {
    assertConsistent(broken);
  } catch (error) {
    thrown = error;
  }
  expect(isHansaError(thrown) && thrown.code).toBe("HSA5002");
  expect(String(thrown)).toMatch(/listener.*outbound: refers to routes outbound/s);
  expect(() => assertConsistent(good)).not.toThrow();
});

test("one changed resource is checked against what is served beside it", () => {
  const find: FindResource = (typeUrl, name) =>
    typeUrl === TYPE_URL.cluster
      ? good.clusters.get(name)
      : typeUrl === TYPE_URL.endpoint
        ? good.endpoints.get(name)
        : undefined;
  expect(inconsistenciesOf(TYPE_URL.endpoint, PAY, find)).toEqual([]);
  expect(inconsistenciesOf(TYPE_URL.cluster, PAY, find).join()).toMatch(/refers to secrets svid/);
  expect(inconsistenciesOf(TYPE_URL.cluster, "unknown", find)).toEqual([]);
});
