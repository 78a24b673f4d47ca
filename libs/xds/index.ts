/** @hansa/xds: Envoy resources from the model's views, and the delta xDS server as a pure state machine. */
export * as proto from "./gen/index.ts";
export { type Changes, type Entry, ResourceLayer } from "./src/delta/layer.ts";
export { ProxyMemory, type Rejection } from "./src/delta/rejections.ts";
export { DeltaStream } from "./src/delta/stream.ts";
export * from "./src/delta/stream-types.ts";
export type { Nack } from "./src/delta/subscription.ts";
export * from "./src/encode/cluster-load-assignment.ts";
export * from "./src/encode/delta-request.ts";
export * from "./src/encode/delta-response.ts";
export * from "./src/resources/index.ts";
export * from "./src/type-urls.ts";
