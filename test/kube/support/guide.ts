/** The commands of a page, run as a reader would: `hansa`, `kubectl` and `helm` are on PATH, variables stay between blocks. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../../../deploy/tools/paths.mjs";
import { type Ran, runProgram } from "./hansa.ts";
import type { JoinRig } from "./join-rig.ts";

/** Blocks of `sh` under each heading, in order. */
export function blocksOf(page: string): { readonly heading: string; readonly script: string }[] {
  const text = readFileSync(join(root, page), "utf8");
  let heading = "";
  return [...text.matchAll(/^#+ (.*)$|^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, title, script]) => {
    if (title !== undefined) heading = title;
    return script === undefined ? [] : [{ heading, script }];
  });
}

export class Guide {
  readonly #bin: string;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  /** `replaced` stands in for what is each reader's own: it is set after every block. */
  constructor(
    rig: JoinRig,
    tools: Readonly<Record<string, string>>,
    replaced: Readonly<Record<string, string>>,
  ) {
    this.#folder = join(rig.hub.folder, "guide");
    this.#bin = join(this.#folder, "bin");
    mkdirSync(this.#bin, { recursive: true });
    for (const [name, script] of Object.entries(tools)) {
      writeFileSync(join(this.#bin, name), `#!/bin/bash\n${script}\n`);
      chmodSync(join(this.#bin, name), 0o755);
    }
    writeFileSync(join(this.#folder, "state"), "");
    writeFileSync(
      join(this.#folder, "replaced"),
      Object.entries(replaced)
        .map(([name, value]) => `export ${name}=${value}\n`)
        .join(""),
    );
    this.#env = {
      ...process.env,
      PATH: `${this.#bin}${delimiter}${process.env.PATH}`,
      KUBECONFIG: rig.kube.kubeconfig,
      HANSA_CONTEXT: rig.context,
    };
  }

  run(script: string): Promise<Ran> {
    const whole = `set -euo pipefail
cd ${root}
source ${this.#folder}/state
${script.replaceAll(/> (\w+\.yaml)/g, `> ${this.#folder}/$1`)}
declare -p | { grep -E ' ([A-Z]+_(TOKEN|CIDR)|NATS)=' || true; } > ${this.#folder}/state.new
mv ${this.#folder}/state.new ${this.#folder}/state
cat ${this.#folder}/replaced >> ${this.#folder}/state`;
    return runProgram("bash", ["-c", whole], this.#env);
  }
}
