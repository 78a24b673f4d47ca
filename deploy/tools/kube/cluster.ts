/** One cluster of a lab: its API server and controller-manager, started and ended one by one, and ways to talk to it. */
import { renameSync, writeFileSync } from "node:fs";
import type { Child } from "../child.ts";
import { type ControlPlaneOptions, startApiServer, startControllerManager } from "./control-plane.ts";
import { serverNames } from "./credentials.ts";
import type { Etcd } from "./etcd.ts";
import { type Kubectl, kubectlFor } from "./kubectl.ts";

export class KubeCluster {
  readonly name: string;
  readonly url: string;
  readonly caPem: string;
  /** Bearer token of a member of system:masters. */
  readonly adminToken: string;
  readonly options: ControlPlaneOptions;
  readonly etcd: Etcd;
  readonly kubectl: Kubectl;
  #apiServer: Child | undefined;
  #controllerManager: Child | undefined;

  constructor(options: ControlPlaneOptions, etcd: Etcd) {
    this.options = options;
    this.etcd = etcd;
    this.name = options.plan.name;
    this.url = options.plan.url;
    this.caPem = options.credentials.authority.certPem;
    this.adminToken = options.credentials.adminToken;
    this.kubectl = kubectlFor(options.binaries.kubectl, options.kubeconfig, this.name);
  }

  get apiServerPid(): number | undefined {
    return this.#apiServer?.pid;
  }

  async start(): Promise<void> {
    await this.startApiServer();
    this.#controllerManager = await startControllerManager(this.options);
  }

  /** Resolves when it is ready. */
  async startApiServer(): Promise<void> {
    this.#apiServer ??= await startApiServer(this.options);
  }

  /** In good order: it ends its watches and waits for the requests that run. */
  async stopApiServer(): Promise<void> {
    await this.#apiServer?.stop();
    this.#apiServer = undefined;
  }

  /** As a crash would; resolves when the process is gone. */
  async killApiServer(): Promise<void> {
    await this.#apiServer?.kill();
    this.#apiServer = undefined;
  }

  /** A crash and a new start: about 2 s. */
  async restartApiServer(): Promise<void> {
    await this.killApiServer();
    await this.startApiServer();
  }

  /** What an administrator does after a restore: its watches wait for versions that are yet to come. */
  async restartControllerManager(): Promise<void> {
    await this.#controllerManager?.kill();
    this.#controllerManager = await startControllerManager(this.options);
  }

  /** Ends all of it at once: nothing here has anything to say at its end. */
  async close(): Promise<void> {
    await Promise.all([this.#controllerManager?.kill(), this.killApiServer()]);
    this.#controllerManager = undefined;
  }

  /** Applies YAML or JSON, as `kubectl apply --server-side -f -` does. */
  async apply(manifests: string): Promise<void> {
    await this.kubectl.ok(["apply", "--server-side", "-f", "-"], { stdin: manifests });
  }

  /** A new serving certificate of the same authority; the API server takes it up by itself within a minute. */
  rotateServerCertificate(): void {
    const { credentials, plan, address } = this.options;
    const issued = credentials.authority.issueServer(serverNames(plan, address));
    replace(credentials.files.serverKey, issued.keyPem);
    replace(credentials.files.serverCert, issued.certPem);
  }
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
