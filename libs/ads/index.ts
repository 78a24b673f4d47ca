/** @hansa/ads: delta ADS over gRPC, on node:http2, around the pure stream of @hansa/xds. */
export type { Listen, ServerTls } from "./src/listen.ts";
export {
  type Acked,
  type AdsOptions,
  type AdsServer,
  type AdsStatus,
  type Refused,
  serveAds,
} from "./src/server.ts";
