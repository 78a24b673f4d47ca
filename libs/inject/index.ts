/** @hansa/inject: the sidecar of a pod as a patch, and nothing of who asks for it. Pure. */
export { applyPatch } from "./src/apply-patch.ts";
export { cidrOf, ipv4CidrOf } from "./src/exclusions.ts";
export { type Injection, inject, SHAPE } from "./src/inject.ts";
export * from "./src/names.ts";
export type { PatchOperation, Pod } from "./src/pod.ts";
export { probeConfig, READY_PATH } from "./src/probe-config.ts";
export type { InjectSettings } from "./src/settings.ts";
