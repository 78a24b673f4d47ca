/**
 * The roots by which sidecars know their agent, as a ConfigMap in each namespace that has or may have sidecars: their volume
 * shows it and follows it. Owns which namespaces have which roots; writes only where the elected agent may.
 */
import { ROOTS, ROOTS_FILE } from "@hansa/inject";
import { type Applier, CONFIG_MAPS, codeOf, type KubePorts } from "@hansa/kube";
import { agentRoots } from "@hansa/xds";

const MANAGER = "hansa-sidecars";
/** What somebody changed or removed is put right within this. */
const REPEAT_MS = 600_000;

interface Has {
  readonly bundlePem: string;
  readonly atMs: number;
}

export interface RootsOptions {
  readonly applier: Pick<Applier, "write">;
  readonly ports: Pick<KubePorts, "clock" | "log">;
  /** PEM of every root that counts now. */
  readonly bundlePem: () => string;
  /** A namespace has what it should. */
  readonly onWritten: () => void;
}

export class SidecarRoots {
  readonly #options: RootsOptions;
  readonly #labelled = new Set<string>();
  /** Namespace → its pods with a sidecar: these may be injected elsewhere than by the webhook. */
  readonly #pods = new Map<string, Set<string>>();
  readonly #has = new Map<string, Has>();
  readonly #writing = new Set<string>();

  constructor(options: RootsOptions) {
    this.#options = options;
  }

  namespace(name: string, isLabelled: boolean): void {
    if (isLabelled) this.#labelled.add(name);
    else this.#labelled.delete(name);
    this.#forget(name);
  }

  pod(namespace: string, name: string, isMeshed: boolean): void {
    const pods = this.#pods.get(namespace) ?? new Set();
    if (isMeshed) pods.add(name);
    else pods.delete(name);
    if (pods.size > 0) this.#pods.set(namespace, pods);
    else this.#pods.delete(namespace);
    this.#forget(namespace);
  }

  /** Every namespace has these roots. */
  hasEverywhere(bundlePem: string): boolean {
    return [...this.#wanted()].every((name) => this.#has.get(name)?.bundlePem === bundlePem);
  }

  /** Writes what is due. */
  turn(): void {
    const bundlePem = this.#options.bundlePem();
    const nowMs = this.#options.ports.clock.monotonicMs();
    for (const name of this.#wanted()) {
      const has = this.#has.get(name);
      const isDue = has?.bundlePem !== bundlePem || nowMs - has.atMs >= REPEAT_MS;
      if (isDue && !this.#writing.has(name)) void this.#write(name, bundlePem, nowMs);
    }
  }

  #wanted(): ReadonlySet<string> {
    return new Set([...this.#labelled, ...this.#pods.keys()]);
  }

  #forget(name: string): void {
    if (!this.#labelled.has(name) && !this.#pods.has(name)) this.#has.delete(name);
  }

  async #write(namespace: string, bundlePem: string, atMs: number): Promise<void> {
    const { applier, ports, onWritten } = this.#options;
    this.#writing.add(namespace);
    const written = await applier.write({
      kind: "apply",
      target: { resource: CONFIG_MAPS, namespace, name: ROOTS },
      objectKind: "ConfigMap",
      fieldManager: MANAGER,
      force: true,
      labels: { "app.kubernetes.io/managed-by": "hansa" },
      fields: { data: { [ROOTS_FILE]: agentRoots(bundlePem) } },
    });
    this.#writing.delete(namespace);
    if (written.outcome === "applied") {
      this.#has.set(namespace, { bundlePem, atMs });
      onWritten();
    } else if ("problem" in written)
      ports.log.error("sidecars: the agent's roots cannot be written into a namespace", {
        code: codeOf(written.problem),
        namespace,
        reason: written.problem.message,
      });
  }
}
