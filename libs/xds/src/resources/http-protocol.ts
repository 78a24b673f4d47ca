/** HTTP options of clusters. The mesh leg is always explicit h2 (envoy-dataplane §11); the app leg as declared. */
import type { TrustDomain } from "@hansa/core";
import type { Protocol } from "@hansa/events";
import {
  type Any,
  anyPack,
  create,
  HeaderMatcherSchema,
  HttpProtocolOptionsSchema,
} from "../../gen/index.ts";
import {
  CLIENT_CONNECTION_MS,
  GATEWAY_REQUESTS_PER_CONNECTION,
  GATEWAY_STREAMS_PER_CONNECTION,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
} from "./limits.ts";
import { UNSENT_HEADER } from "./local-reply.ts";
import { byText, duration, encoded, field, type Init, newerField, type UnknownField } from "./message.ts";

const KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
type Options = { [key: string]: Any };

const options = (
  init: Init<typeof HttpProtocolOptionsSchema>,
  unknown: readonly UnknownField[] = [],
): Options => {
  const message = create(HttpProtocolOptionsSchema, init);
  if (unknown.length > 0) message.$unknown = [...unknown];
  return { [KEY]: anyPack(HttpProtocolOptionsSchema, message) };
};

export const isHttp = (protocol: Protocol): boolean => protocol !== "tcp";

// Envoy 1.40: HttpProtocolOptions.outlier_detection = 8 { MatchPredicate error_matcher = 1 {
//   HttpHeadersMatch http_response_headers_match = 7 { repeated HeaderMatcher headers = 1 } } }.
const OUTLIER_DETECTION = 8;
const ERROR_MATCHER = 1;
const RESPONSE_HEADERS_MATCH = 7;
const HEADERS = 1;

/** An answer is an error where a sidecar of one of these domains says that its application saw nothing. */
function unsentBy(domains: readonly TrustDomain[]): UnknownField {
  const names = [...new Set(domains)].sort(byText).map((domain) => domain.replaceAll(".", "\\."));
  const matcher = encoded(HeaderMatcherSchema, {
    name: UNSENT_HEADER,
    headerMatchSpecifier: {
      case: "stringMatch",
      value: { matchPattern: { case: "safeRegex", value: { regex: names.join("|") } } },
    },
  });
  const response = field(RESPONSE_HEADERS_MATCH, field(HEADERS, matcher));
  return newerField(OUTLIER_DETECTION, field(ERROR_MATCHER, response));
}

/**
 * `bounded`: some endpoint is a gateway, which spreads connections and cannot see requests. `ejectable`: trust domains
 * whose sidecars are dialled directly beside gateways.
 */
export const meshHttpOptions = (bounded: boolean, ejectable: readonly TrustDomain[]): Options =>
  options(
    {
      commonHttpProtocolOptions: {
        maxConnectionDuration: duration(CLIENT_CONNECTION_MS),
        ...(bounded ? { maxRequestsPerConnection: GATEWAY_REQUESTS_PER_CONNECTION } : {}),
      },
      upstreamProtocolOptions: {
        case: "explicitHttpConfig",
        value: {
          protocolConfig: {
            case: "http2ProtocolOptions",
            value: {
              allowConnect: true,
              connectionKeepalive: {
                interval: duration(PING_INTERVAL_MS),
                timeout: duration(PING_TIMEOUT_MS),
              },
              ...(bounded ? { maxConcurrentStreams: GATEWAY_STREAMS_PER_CONNECTION } : {}),
            },
          },
        },
      },
    },
    ejectable.length > 0 ? [unsentBy(ejectable)] : [],
  );

/** h2 with prior knowledge for http2 and grpc, HTTP/1.1 for http. */
export const appHttpOptions = (protocol: Protocol): Options =>
  options({
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: {
        protocolConfig:
          protocol === "http2" || protocol === "grpc"
            ? { case: "http2ProtocolOptions", value: { allowConnect: true } }
            : { case: "httpProtocolOptions", value: {} },
      },
    },
  });
