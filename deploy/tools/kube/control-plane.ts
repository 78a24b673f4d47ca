/** The processes of one cluster: kube-apiserver and kube-controller-manager, with every flag and why. */
import { join } from "node:path";
import { type Child, startChild } from "../child.ts";
import type { KubeBinaries } from "./binaries.ts";
import type { ClusterCredentials } from "./credentials.ts";
import { answers } from "./https.ts";
import type { ClusterPlan } from "./plan.ts";

export interface ControlPlaneOptions {
  readonly binaries: KubeBinaries;
  readonly plan: ClusterPlan;
  /** Of Services, one for each family. */
  readonly serviceCidrs: readonly string[];
  readonly address: string;
  readonly dir: string;
  readonly etcdUrl: string;
  readonly credentials: ClusterCredentials;
  /** Kubeconfig of an administrator of this one cluster. */
  readonly kubeconfig: string;
  /** Further flags of the API server. */
  readonly apiServerFlags?: readonly string[];
}

export function startApiServer(options: ControlPlaneOptions): Promise<Child> {
  const { binaries, plan, serviceCidrs, address, dir, etcdUrl, credentials, apiServerFlags = [] } = options;
  const { files } = credentials;
  return startChild({
    argv: [
      binaries.apiServer,
      `--etcd-servers=${etcdUrl}`,
      `--etcd-prefix=/${plan.name}`,
      `--bind-address=${address}`,
      `--secure-port=${plan.port}`,
      `--tls-cert-file=${files.serverCert}`,
      `--tls-private-key-file=${files.serverKey}`,
      `--client-ca-file=${files.ca}`,
      `--token-auth-file=${files.tokens}`,
      "--authorization-mode=RBAC",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${files.accountsPublicKey}`,
      `--service-account-signing-key-file=${files.accountsKey}`,
      `--service-cluster-ip-range=${serviceCidrs.join()}`,
      // The endpoint reconciler refuses loopback; the node writes the slice of `kubernetes.default` (test/kube/node).
      "--endpoint-reconciler-type=none",
      "--advertise-address=127.0.0.1",
      "--kubelet-preferred-address-types=InternalIP",
      "--allow-privileged=true",
      "--profiling=false",
      ...apiServerFlags,
    ],
    log: join(dir, "kube-apiserver.log"),
    stopSignal: "SIGTERM",
    isReady: () => answers(`${plan.url}/readyz`, { caPem: credentials.authority.certPem }),
    readyWithinMs: 60_000,
  });
}

/** Without leases of its own and without node-lifecycle, which evicts from nodes that renew none. */
export const controllers = [
  "endpointslice-controller",
  "endpointslice-mirroring-controller",
  "namespace-controller",
  "serviceaccount-controller",
  "serviceaccount-token-controller",
  "root-ca-certificate-publisher-controller",
  "garbage-collector-controller",
  "pod-garbage-collector-controller",
  "deployment-controller",
  "replicaset-controller",
  "statefulset-controller",
  "daemonset-controller",
  "job-controller",
  "disruption-controller",
];

export function startControllerManager(options: ControlPlaneOptions): Promise<Child> {
  const { binaries, plan, dir, credentials, kubeconfig } = options;
  return startChild({
    argv: [
      binaries.controllerManager,
      `--kubeconfig=${kubeconfig}`,
      `--cluster-name=${plan.name}`,
      `--controllers=${controllers.join(",")}`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      "--secure-port=0",
      `--service-account-private-key-file=${credentials.files.accountsKey}`,
      `--root-ca-file=${credentials.files.ca}`,
      "--allocate-node-cidrs=false",
      "--kube-api-qps=500",
      "--kube-api-burst=1000",
    ],
    log: join(dir, "kube-controller-manager.log"),
    stopSignal: "SIGTERM",
    // It serves nothing: its first work tells that it runs.
    isReady: () =>
      answers(`${plan.url}/api/v1/namespaces/default/serviceaccounts/default`, {
        caPem: credentials.authority.certPem,
        token: credentials.adminToken,
      }),
    readyWithinMs: 60_000,
  });
}
