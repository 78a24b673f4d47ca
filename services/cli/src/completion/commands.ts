/** `hansa completion SHELL`: prints a script that completes commands and options. */
import { HansaError } from "@hansa/core";
import type { Command } from "commander";
import { addCommand } from "../shell/program.ts";
import { SHELLS, scriptFor } from "./scripts.ts";
import { treeOf } from "./tree.ts";

/** `program` has every command when the action runs. */
export function addCompletionCommand(program: Command): void {
  addCommand(program, {
    usage: "completion <shell>",
    summary: `print a completion script for ${SHELLS.join(", ")}`,
    example: "source <(hansa completion bash)",
    action: async (_shell, [name]) => {
      const shell = SHELLS.find((one) => one === name);
      if (shell === undefined)
        throw new HansaError("HSA1001", `completion ${name}: must be one of ${SHELLS.join(", ")}`);
      const script = scriptFor(shell, treeOf(program));
      return { kind: "CompletionScript", data: { shell, script }, text: () => script };
    },
  });
}
