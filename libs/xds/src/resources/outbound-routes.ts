/**
 * Routes of the outbound listener: one virtual host per service port, domains exact. `<host>` alone means the
 * service's first HTTP port. An unknown authority gets 404 with a code, never another service.
 */
import type { Code } from "@hansa/core";
import type { ServicePortView } from "@hansa/model";
import {
  type RouteActionSchema,
  RouteConfigurationSchema,
  type RouteSchema,
  type VirtualHostSchema,
} from "../../gen/index.ts";
import { isHttp } from "./http-protocol.ts";
import { CODE_HEADER, header, REASON_HEADER, UNSENT_HEADER } from "./local-reply.ts";
import { byText, duration, encoded, type Init } from "./message.ts";
import { OUTBOUND_ROUTES } from "./names.ts";
import { IDEMPOTENT_METHODS, idempotentRetries, safeRetries } from "./retry-policy.ts";

type Route = Init<typeof RouteSchema>;
type VirtualHost = Init<typeof VirtualHostSchema>;

const EVERYTHING = { case: "prefix", value: "/" } as const;

export const refusal = (status: number, code: Code, reason: string): Route => ({
  match: { pathSpecifier: EVERYTHING },
  action: {
    case: "directResponse",
    value: { status, body: { specifier: { case: "inlineString", value: `${code} ${reason}\n` } } },
  },
  responseHeadersToAdd: [header(CODE_HEADER, code), header(REASON_HEADER, reason)],
});

/** gRPC: no time limit of the route (the server's stream age holds) and no idle limit between messages. */
export const streamTimeouts = (view: Pick<ServicePortView, "port">): Init<typeof RouteActionSchema> =>
  view.port.protocol === "grpc" ? { timeout: duration(0), idleTimeout: duration(0) } : {};

function routesTo(view: ServicePortView, cluster: string): Route[] {
  const target = { clusterSpecifier: { case: "cluster", value: cluster }, ...streamTimeouts(view) } as const;
  const idempotent: Route = {
    match: {
      pathSpecifier: EVERYTHING,
      headers: [
        {
          name: ":method",
          headerMatchSpecifier: {
            case: "stringMatch",
            value: { matchPattern: { case: "safeRegex", value: { regex: IDEMPOTENT_METHODS } } },
          },
        },
      ],
    },
    action: { case: "route", value: { ...target, retryPolicy: idempotentRetries() } },
  };
  const rest: Route = {
    match: { pathSpecifier: EVERYTHING },
    action: { case: "route", value: { ...target, retryPolicy: safeRetries() } },
  };
  return view.port.protocol === "grpc" ? [rest] : [idempotent, rest];
}

const virtualHost = (view: ServicePortView, domains: string[], cluster = view.sni): VirtualHost => ({
  name: view.sni,
  domains,
  routes:
    view.exporters.length > 0
      ? routesTo(view, cluster)
      : [refusal(503, "HSA4006", `no live exporter offers ${view.service}.${view.namespace}`)],
});

/** Every host, for a listener that is one service port's alone: it was dialled by its address. */
export const anyHostRoutes = (
  view: ServicePortView,
  cluster: string = view.sni,
): Init<typeof RouteConfigurationSchema> => ({
  name: view.sni,
  virtualHosts: [virtualHost(view, ["*"], cluster)],
  responseHeadersToRemove: [UNSENT_HEADER],
});

/** Unique (host, port), in the caller's order, which says what a service's first port is. */
function httpViews(views: readonly ServicePortView[]): { view: ServicePortView; first: boolean }[] {
  const taken = new Set<string>();
  const add = (key: string): boolean => !taken.has(key) && taken.add(key).size > 0;
  return views
    .filter((view) => isHttp(view.port.protocol) && add(`${view.host}:${view.port.port}`))
    .map((view) => ({ view, first: add(view.host) }));
}

/** Views without exporters are answered with a reason; plain TCP ports have listeners of their own instead. */
export function routesFor(views: readonly ServicePortView[]): Uint8Array {
  const hosts = httpViews(views).sort((a, b) => byText(a.view.sni, b.view.sni));
  return encoded(RouteConfigurationSchema, {
    name: OUTBOUND_ROUTES,
    virtualHosts: [
      ...hosts.map(({ view, first }) =>
        virtualHost(view, [...(first ? [view.host] : []), `${view.host}:${view.port.port}`]),
      ),
      {
        name: "unknown-host",
        domains: ["*"],
        routes: [refusal(404, "HSA1005", "no service of that host and port")],
      },
    ],
    responseHeadersToRemove: [UNSENT_HEADER],
  });
}
