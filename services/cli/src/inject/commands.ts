/** `hansa inject`: what the webhook would do, for manifests in files. */
import type { Command } from "commander";
import { addCommand, lazily } from "../shell/program.ts";

export function addInjectCommands(program: Command): void {
  addCommand(program, {
    usage: "inject",
    summary: "put sidecars into the pods of a manifest, as the webhook would",
    options: [
      ["-f, --file <file>", "manifest (YAML, any number of documents)"],
      ["--settings <file>", "cluster, images and agent (YAML), as `proxyImage`, …"],
      ["--diff", "show what changes instead of the manifest"],
      ["--all", "inject pods that say nothing, as in a namespace that opts in"],
    ],
    example: "hansa inject -f deployment.yaml --settings sidecars.yaml --all | kubectl apply -f -",
    action: lazily(() => import("./inject.ts")),
  });
}
