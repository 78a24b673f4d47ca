/** Kinds of objects that an installation has, and one object of them. Pure. */
import { assert } from "@hansa/core";
import type { Resource, Target } from "@hansa/kube";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

const plurals: Readonly<Record<string, readonly [plural: string, namespaced: boolean]>> = {
  Namespace: ["namespaces", false],
  CustomResourceDefinition: ["customresourcedefinitions", false],
  ServiceAccount: ["serviceaccounts", true],
  ClusterRole: ["clusterroles", false],
  ClusterRoleBinding: ["clusterrolebindings", false],
  Role: ["roles", true],
  RoleBinding: ["rolebindings", true],
  ConfigMap: ["configmaps", true],
  Secret: ["secrets", true],
  Service: ["services", true],
  StatefulSet: ["statefulsets", true],
  Deployment: ["deployments", true],
  HorizontalPodAutoscaler: ["horizontalpodautoscalers", true],
  NetworkPolicy: ["networkpolicies", true],
  MutatingWebhookConfiguration: ["mutatingwebhookconfigurations", false],
  ValidatingWebhookConfiguration: ["validatingwebhookconfigurations", false],
  PodDisruptionBudget: ["poddisruptionbudgets", true],
};

export function resourceOf({ apiVersion, kind }: Pick<Manifest, "apiVersion" | "kind">): Resource {
  const [plural, namespaced] = plurals[kind] ?? [];
  assert(plural !== undefined && namespaced !== undefined, `no kind ${kind} is installed`);
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return { group: group ?? "", version: version ?? "", plural, namespaced };
}

export function targetOf(manifest: Manifest): Target {
  const resource = resourceOf(manifest);
  const { name, namespace } = manifest.metadata;
  return resource.namespaced ? { resource, namespace, name } : { resource, name };
}

export const textOfObject = ({ kind, metadata: { name } }: Manifest): string => `${kind}/${name}`;
