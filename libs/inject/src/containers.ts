/** The two containers of an injection and the volumes that they need. */
import { envoyArguments, envoyBootstrap } from "@hansa/xds";
import type { Exclusions } from "./exclusions.ts";
import {
  ADMIN_PORT,
  IDENTITY_PATH,
  IDENTITY_VOLUME,
  PROBE_PORT,
  PROXY_CONTAINER,
  PROXY_UID,
  ROOTS,
  ROOTS_FILE,
  RULES_CONTAINER,
  RUN_VOLUME,
  TOKEN_AUDIENCE,
} from "./names.ts";
import { probeConfig, READY_PATH } from "./probe-config.ts";
import type { AppProbe } from "./probes.ts";
import { ipv4Rules, ipv6Rules } from "./rules.ts";
import type { InjectSettings } from "./settings.ts";

/** A kubelet renews it when four fifths are over. */
const TOKEN_SECONDS = 3600;
/** What one drain of a deleted pod may take; its own grace period may cut it short. */
const DRAIN_SECONDS = 20;
/** Ten minutes without a configuration: the pod is started anew, and says so. */
const START_FAILURES_MAX = 600;

const TOKEN_FILE = "token";

const POD_FIELDS = {
  HANSA_NAMESPACE: "metadata.namespace",
  HANSA_POD: "metadata.name",
  HANSA_POD_IP: "status.podIP",
};

const LOCKED_DOWN = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
};

/** A kubelet replaces `$(NAME)` in arguments, and `$$` by `$`: only the pod's own fields are meant to be. */
const forKubelet = (text: string): string =>
  Object.keys(POD_FIELDS).reduce(
    (done, name) => done.replaceAll(`$$(${name})`, `$(${name})`),
    text.replaceAll("$", "$$$$"),
  );

function proxyArguments({ cluster, agent }: InjectSettings, probes: readonly AppProbe[]): string[] {
  const bootstrap = envoyBootstrap({
    nodeId: "$(HANSA_NAMESPACE)/$(HANSA_POD)",
    cluster,
    agent: {
      ...agent,
      directory: IDENTITY_PATH,
      rootsFile: ROOTS_FILE,
      tokenFile: TOKEN_FILE,
    },
    admin: { address: "127.0.0.1", port: ADMIN_PORT },
    static: probeConfig(probes, "$(HANSA_POD_IP)"),
  });
  return [...envoyArguments({ bootstrap, drainSeconds: DRAIN_SECONDS })].map(forKubelet);
}

/** Stock Envoy takes this by POST alone, and a hook of a kubelet asks by GET. */
const DRAIN = [
  "bash",
  "-c",
  `exec 3<>/dev/tcp/127.0.0.1/${ADMIN_PORT}; printf 'POST /drain_listeners?graceful&inboundonly HTTP/1.1\\r\\nhost: admin\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3`,
];

export function proxyContainer(settings: InjectSettings, probes: readonly AppProbe[]): object {
  const ready = { httpGet: { path: READY_PATH, port: PROBE_PORT, scheme: "HTTP" }, periodSeconds: 1 };
  return {
    name: PROXY_CONTAINER,
    image: settings.proxyImage,
    // Native sidecar (KEP-753): is up before the application starts, and ends after it.
    restartPolicy: "Always",
    command: ["envoy"],
    args: proxyArguments(settings, probes),
    env: Object.entries(POD_FIELDS).map(([name, fieldPath]) => ({
      name,
      valueFrom: { fieldRef: { fieldPath } },
    })),
    ports: [{ name: "hansa-probes", containerPort: PROBE_PORT, protocol: "TCP" }],
    // The application waits for the first complete configuration.
    startupProbe: { ...ready, failureThreshold: START_FAILURES_MAX },
    readinessProbe: { ...ready, periodSeconds: 5, failureThreshold: 3 },
    lifecycle: { preStop: { exec: { command: DRAIN } } },
    resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "512Mi" } },
    securityContext: {
      ...LOCKED_DOWN,
      runAsNonRoot: true,
      runAsUser: PROXY_UID,
      runAsGroup: PROXY_UID,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: IDENTITY_VOLUME, mountPath: IDENTITY_PATH, readOnly: true }],
  };
}

/** IPv6 may be off in a pod; its tables are then not there either. */
const APPLY_RULES = [
  "set -e",
  `printf '%s\\n' "$RULES_IPV4" | iptables-restore --noflush`,
  `if [ -e /proc/net/if_inet6 ]; then printf '%s\\n' "$RULES_IPV6" | ip6tables-restore --noflush; fi`,
].join("\n");

export function rulesContainer(settings: InjectSettings, exclusions: Exclusions): object {
  return {
    name: RULES_CONTAINER,
    image: settings.rulesImage,
    command: ["sh", "-c", APPLY_RULES],
    env: [
      { name: "RULES_IPV4", value: ipv4Rules(exclusions) },
      { name: "RULES_IPV6", value: ipv6Rules(exclusions) },
    ],
    resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
    securityContext: {
      ...LOCKED_DOWN,
      runAsNonRoot: false,
      runAsUser: 0,
      runAsGroup: 0,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    // iptables keeps its lock there.
    volumeMounts: [{ name: RUN_VOLUME, mountPath: "/run" }],
  };
}

export const volumes = (): object[] => [
  {
    name: IDENTITY_VOLUME,
    projected: {
      sources: [
        {
          serviceAccountToken: {
            audience: TOKEN_AUDIENCE,
            expirationSeconds: TOKEN_SECONDS,
            path: TOKEN_FILE,
          },
        },
        {
          // Not optional: a pod waits for it.
          configMap: { name: ROOTS, items: [{ key: ROOTS_FILE, path: ROOTS_FILE }] },
        },
      ],
    },
  },
  { name: RUN_VOLUME, emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
];
