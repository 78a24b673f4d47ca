/** The service account `agent` with what the table of rights says and no more, and tokens of it that are bound to pods. */
import { AGENT_RULES, type KubeClient, PODS, type Rule, SERVICE_ACCOUNTS } from "@hansa/kube";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import { sure } from "./slices.ts";

export interface AgentAccount {
  /** From now on these rules, all of them in the whole cluster. */
  grant(rules: readonly Rule[]): Promise<void>;
  /** A token that is bound to a pod, which is made where it is not there; nobody runs it. */
  boundToken(pod: string, audiences?: readonly string[]): Promise<string>;
  deletePod(name: string): Promise<void>;
}

const RBAC = "rbac.authorization.k8s.io";

export async function agentAccount(cluster: KubeCluster, admin: KubeClient): Promise<AgentAccount> {
  const apply = (objects: readonly object[]): Promise<void> =>
    cluster.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  const role = (rules: readonly Rule[]): object => ({
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRole",
    metadata: { name: "agent" },
    rules: rules
      .filter(({ verbs }) => verbs.length > 0)
      .map(({ group, resource, verbs, names }) => ({
        apiGroups: [group],
        resources: [resource],
        verbs,
        ...(names === undefined ? {} : { resourceNames: names }),
      })),
  });
  await apply([
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "agent", namespace: "default" } },
    role(AGENT_RULES),
    {
      apiVersion: `${RBAC}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "agent" },
      roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: "agent" },
      subjects: [{ kind: "ServiceAccount", name: "agent", namespace: "default" }],
    },
  ]);
  return {
    grant: (rules) => apply([role(rules)]),
    async boundToken(pod, audiences) {
      await admin.send({
        method: "POST",
        target: { resource: PODS, namespace: "default" },
        body: {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: pod },
          spec: { serviceAccountName: "agent", containers: [{ name: "none", image: "none" }] },
        },
      });
      const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: pod };
      const answer = await sure(admin, {
        method: "POST",
        target: { resource: SERVICE_ACCOUNTS, namespace: "default", name: "agent", subresource: "token" },
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { audiences, expirationSeconds: 600, boundObjectRef },
        },
      });
      return (answer.status as { readonly token: string }).token;
    },
    async deletePod(name) {
      await sure(admin, {
        method: "DELETE",
        target: { resource: PODS, namespace: "default", name },
        body: { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 },
      });
    },
  };
}
