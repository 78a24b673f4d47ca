/**
 * The webhooks' configurations as they should be. For sidecars `failurePolicy: Fail`, because a pod that wants one and comes
 * up without would speak and be spoken to past every policy; and nobody else is ever asked about: not namespaces
 * without the label, not pods that opt out, not what the agent and the cluster themselves run on. For policies `Ignore`:
 * what is stored while no agent is there to ask is judged by its status.
 */
import { DISABLED, ENABLED, INJECT } from "@hansa/inject";
import { MUTATING_WEBHOOKS, type ObjectTarget, VALIDATING_WEBHOOKS, type Write } from "@hansa/kube";

export const SIDECARS_PATHS = { enabled: "/inject/enabled", annotated: "/inject/annotated" } as const;
export const POLICIES_PATH = "/policies";
const MANAGER = "hansa-sidecars";
/** What has to start without an agent. */
const NEVER = ["kube-system", "kube-public", "kube-node-lease"];
const TIMEOUT_S = 5;

/** `<service>.<namespace>.svc`, as the API server resolves it; any other host is dialled as it is. */
export interface WebhookPlace {
  readonly host: string;
  readonly port: number;
}

const clientConfig = ({ host, port }: WebhookPlace, path: string, bundlePem: string): object => {
  const caBundle = Buffer.from(bundlePem).toString("base64");
  const [, name, namespace] = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc$/.exec(host) ?? [];
  return name === undefined
    ? { url: `https://${host}:${port}${path}`, caBundle }
    : { service: { name, namespace, port, path }, caBundle };
};

const annotation = `object.metadata.?annotations[?"${INJECT}"]`;

const ASKED = { sideEffects: "None", timeoutSeconds: TIMEOUT_S, admissionReviewVersions: ["v1"] };

const applied = (target: ObjectTarget, objectKind: string, webhooks: readonly object[]): Write => ({
  kind: "apply",
  target,
  objectKind,
  fieldManager: MANAGER,
  force: true,
  fields: { webhooks },
});

export const policiesConfiguration = (place: WebhookPlace, bundlePem: string): Write =>
  applied({ resource: VALIDATING_WEBHOOKS, name: "hansa-policies" }, "ValidatingWebhookConfiguration", [
    {
      name: "policies.hansa.dev",
      clientConfig: clientConfig(place, POLICIES_PATH, bundlePem),
      rules: [
        {
          apiGroups: ["hansa.dev"],
          apiVersions: ["v1alpha1"],
          operations: ["CREATE", "UPDATE"],
          resources: ["allowpolicies", "failoverpolicies", "meshgateways"],
          scope: "*",
        },
      ],
      failurePolicy: "Ignore",
      matchPolicy: "Equivalent",
      ...ASKED,
    },
  ]);

/** `ownNamespace`: the agent's, which must come up by itself. */
export function sidecarsConfiguration(place: WebhookPlace, bundlePem: string, ownNamespace: string): Write {
  const never = { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [...NEVER, ownNamespace] };
  const webhook = (kind: "enabled" | "annotated", label: string, expression: string): object => ({
    name: `${kind}.sidecars.hansa.dev`,
    clientConfig: clientConfig(place, SIDECARS_PATHS[kind], bundlePem),
    rules: [
      {
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE"],
        resources: ["pods"],
        scope: "Namespaced",
      },
    ],
    namespaceSelector: { matchExpressions: [{ key: INJECT, operator: "In", values: [label] }, never] },
    matchConditions: [{ name: "asks-for-a-sidecar", expression }],
    failurePolicy: "Fail",
    // Another webhook may add a container or a probe after it; an injected pod is left as it is.
    reinvocationPolicy: "IfNeeded",
    matchPolicy: "Equivalent",
    ...ASKED,
  });
  return applied({ resource: MUTATING_WEBHOOKS, name: "hansa-sidecars" }, "MutatingWebhookConfiguration", [
    webhook("enabled", ENABLED, `${annotation}.orValue("") != "${DISABLED}"`),
    webhook("annotated", DISABLED, `${annotation}.orValue("${DISABLED}") != "${DISABLED}"`),
  ]);
}
