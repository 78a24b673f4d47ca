/** @hansa/ads: delta ADS over gRPC around the pure stream of @hansa/xds. The only importer of @grpc/grpc-js. */
export type { Listen, ServerTls } from "./src/listen.ts";
export {
  type Acked,
  type AdsOptions,
  type AdsServer,
  type AdsStatus,
  type Refused,
  serveAds,
} from "./src/server.ts";
