/** The roots of the agent's TLS where gateways in pods of their own mount them. Sidecars have theirs from the webhook. */
import { CONFIG_MAPS, type Write } from "@hansa/kube";

export const BUNDLE_MAP = "hansa-agent-ca";
/** As sidecars have it. */
const KEY = "ca.crt";
const MANAGER = "hansa-gateways";

export const bundleMap = (namespace: string, bundlePem: string): Write => ({
  kind: "apply",
  target: { resource: CONFIG_MAPS, namespace, name: BUNDLE_MAP },
  objectKind: "ConfigMap",
  fieldManager: MANAGER,
  force: true,
  labels: { "app.kubernetes.io/part-of": "hansa" },
  fields: { data: { [KEY]: bundlePem } },
});
