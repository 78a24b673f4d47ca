/** @hansa/kube: one cluster's API server: credentials, requests, list/watch, writes, election, tokens, rights. */
export * from "./src/apply/applier.ts";
export * from "./src/apply/limits.ts";
export type { ObjectTarget, Write, Written } from "./src/apply/write.ts";
export * from "./src/client/client.ts";
export {
  type Cause,
  codeOf,
  isPassing,
  isProblem,
  type Problem,
  type ProblemKind,
  problemError,
} from "./src/client/problem.ts";
export type { Method, Right, Verb } from "./src/client/right.ts";
export { type ServerInfo, servedVersions, serverInfo } from "./src/client/server-info.ts";
export { Access } from "./src/config/access.ts";
export * from "./src/config/in-cluster.ts";
export { type KubeconfigPlace, kubeconfig } from "./src/config/kubeconfig.ts";
export type { Material, MaterialSource, TlsMaterial } from "./src/config/material.ts";
export { type ExecTarget, type Executed, execInPod } from "./src/exec/exec.ts";
export { LEASE_SETTINGS, type LeaseSettings } from "./src/lease/judge.ts";
export * from "./src/lease/lease-election.ts";
export type { KubePorts } from "./src/ports.ts";
export * from "./src/rbac/rights.ts";
export type { Change, Same } from "./src/reflector/cache.ts";
export type { Project } from "./src/reflector/read.ts";
export * from "./src/reflector/reflector.ts";
export * from "./src/reflector/settings.ts";
export { apiVersionOf, type KubeObject, keyOf, type Resource, type Target, textOf } from "./src/resource.ts";
export * from "./src/resources.ts";
export {
  reviewToken,
  TOKEN_CHARS_MAX,
  type TokenOwner,
  type TokenVerdict,
} from "./src/tokens/token-review.ts";
