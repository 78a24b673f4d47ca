/** HTTP options of clusters. The mesh leg is always explicit h2 (envoy-dataplane §11); the app leg as declared. */
import type { Protocol } from "@hansa/events";
import { type Any, HttpProtocolOptionsSchema } from "../../gen/index.ts";
import {
  CLIENT_CONNECTION_MS,
  GATEWAY_REQUESTS_PER_CONNECTION,
  GATEWAY_STREAMS_PER_CONNECTION,
} from "./limits.ts";
import { duration, type Init, packed } from "./message.ts";

const KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
type Options = { [key: string]: Any };

const options = (init: Init<typeof HttpProtocolOptionsSchema>): Options => ({
  [KEY]: packed(HttpProtocolOptionsSchema, init),
});

export const isHttp = (protocol: Protocol): boolean => protocol !== "tcp";

/** `bounded`: some endpoint is a gateway, which spreads connections and cannot see requests. */
export const meshHttpOptions = (bounded: boolean): Options =>
  options({
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
            ...(bounded ? { maxConcurrentStreams: GATEWAY_STREAMS_PER_CONNECTION } : {}),
          },
        },
      },
    },
  });

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
