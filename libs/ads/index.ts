/** @hansa/ads: delta ADS over gRPC, on node:http2, around the pure stream of @hansa/xds. */
export { type Admission, type Door, type DoorOptions, openDoor } from "./src/door.ts";
export type { Listen, ServerTls } from "./src/listen.ts";
export { type AdsOptions, type AdsServer, serveAds } from "./src/server.ts";
export {
  type Acked,
  type AdsStatus,
  type Refused,
  Streams,
  type StreamsOptions,
} from "./src/streams.ts";
