/**
 * Every right that Hansa's agent needs in its cluster, and why. The one table: the chart's roles are made from it, and in tests a
 * request outside it is a broken invariant (`KubeClient`'s `rights`).
 */
import type { Right, Verb } from "../client/right.ts";

export interface Rule {
  readonly group: string;
  /** With its subresource. */
  readonly resource: string;
  readonly verbs: readonly Verb[];
  /** Objects of these names alone. */
  readonly names?: readonly string[];
  /** `own` = only in the agent's own namespace, by a Role; `cluster` = everywhere, by a ClusterRole. */
  readonly scope: "own" | "cluster";
  readonly why: string;
}

const READ: readonly Verb[] = ["list", "watch"];
/** Server-side apply makes the object where it is not there, so it needs both. */
const APPLY: readonly Verb[] = ["create", "patch"];

export const AGENT_RULES: readonly Rule[] = [
  {
    group: "",
    resource: "services",
    verbs: [...READ, ...APPLY],
    scope: "cluster",
    why: "what can be exported; gateway mode: what leads cluster-set IPs to the gateway",
  },
  {
    group: "",
    resource: "services/status",
    verbs: ["patch"],
    scope: "cluster",
    why: "gateway mode: the cluster-set IP itself",
  },
  {
    group: "",
    resource: "pods",
    verbs: READ,
    scope: "cluster",
    why: "identity and address of each workload",
  },
  { group: "", resource: "namespaces", verbs: READ, scope: "cluster", why: "where imports can be written" },
  {
    group: "",
    resource: "configmaps",
    verbs: APPLY,
    names: ["hansa-roots"],
    scope: "cluster",
    why: "the roots by which sidecars and gateways know their agent, in the namespaces that have some",
  },
  {
    group: "",
    resource: "events",
    verbs: APPLY,
    scope: "cluster",
    why: "what is wrong with an export or a policy, where kubectl describe shows it",
  },
  {
    group: "discovery.k8s.io",
    resource: "endpointslices",
    verbs: [...READ, ...APPLY, "delete"],
    scope: "cluster",
    why: "endpoints of exported services; slices of imported ones",
  },
  {
    group: "multicluster.x-k8s.io",
    resource: "serviceexports",
    verbs: READ,
    scope: "cluster",
    why: "what is exported",
  },
  {
    group: "multicluster.x-k8s.io",
    resource: "serviceexports/status",
    verbs: ["patch"],
    scope: "cluster",
    why: "conditions on exports",
  },
  {
    group: "multicluster.x-k8s.io",
    resource: "serviceimports",
    verbs: [...READ, ...APPLY, "delete"],
    scope: "cluster",
    why: "imports of what other clusters export",
  },
  {
    group: "multicluster.x-k8s.io",
    resource: "serviceimports/status",
    verbs: ["patch"],
    scope: "cluster",
    why: "which clusters export it; conditions",
  },
  ...["allowpolicies", "failoverpolicies", "meshgateways"].flatMap((resource): readonly Rule[] => [
    { group: "hansa.dev", resource, verbs: READ, scope: "cluster", why: "who may call, and where calls go" },
    {
      group: "hansa.dev",
      resource: `${resource}/status`,
      verbs: ["patch"],
      scope: "cluster",
      why: "whether a policy is in force",
    },
  ]),
  {
    group: "authentication.k8s.io",
    resource: "tokenreviews",
    verbs: ["create"],
    scope: "cluster",
    why: "first identity of a sidecar, and of a gateway in a pod of its own",
  },
  {
    group: "admissionregistration.k8s.io",
    resource: "mutatingwebhookconfigurations",
    verbs: APPLY,
    scope: "cluster",
    why: "the webhook that injects sidecars, and the roots of its certificate",
  },
  {
    group: "admissionregistration.k8s.io",
    resource: "validatingwebhookconfigurations",
    verbs: APPLY,
    scope: "cluster",
    why: "the webhook that looks at policies before they are stored",
  },
  {
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: ["get", "create", "update"],
    scope: "own",
    why: "election of the writer",
  },
];

export const AGENT_RIGHTS: readonly Right[] = AGENT_RULES.flatMap(({ group, resource, verbs }) =>
  verbs.map((verb) => ({ group, resource, verb })),
);
