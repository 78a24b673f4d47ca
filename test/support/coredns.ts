/** CoreDNS of test/coredns, built once into the tool cache, with a Corefile of its caller's. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, startChild } from "../../deploy/tools/child.ts";
import { goPrograms } from "../../deploy/tools/go-build.ts";
import { root } from "../../deploy/tools/paths.mjs";

export interface CoreDnsOptions {
  readonly dir: string;
  readonly corefile: string;
  readonly isReady: () => Promise<boolean>;
}

/** A first build takes half a minute. */
export async function startCoreDns({ dir, corefile, isReady }: CoreDnsOptions): Promise<Child> {
  const folder = goPrograms({
    what: "CoreDNS",
    module: join(root, "test/coredns"),
    packages: ["."],
    sources: ["**/*.go"],
    ldflags: "-s -w",
  });
  const file = join(dir, "Corefile");
  writeFileSync(file, corefile);
  return await startChild({
    argv: [join(folder, "coredns"), "-conf", file, "-quiet"],
    log: join(dir, "coredns.log"),
    stopSignal: "SIGTERM",
    isReady,
  });
}
