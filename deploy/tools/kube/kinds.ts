/** The kinds that a cluster has to know before an agent reads it (deploy/crds), as one text to apply. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../paths.mjs";

export const kinds = (): string =>
  globSync("deploy/crds/*.yaml", { cwd: root })
    .sort()
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n---\n");
