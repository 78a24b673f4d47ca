/** `hansa`: chooses the command. Only the group of commands that the first word names is loaded. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { runProgram } from "./shell/program.ts";

type AddCommands = (program: Command) => void;

/** Group → its first words and its commands. `mesh` commands stand at the top level. */
const GROUPS: readonly { readonly words: readonly string[]; readonly load: () => Promise<AddCommands> }[] = [
  {
    words: ["status", "get", "describe", "explain", "events", "proxy", "check", "wait", "want"],
    load: async () => (await import("./mesh/commands.ts")).addMeshCommands,
  },
  { words: ["cluster"], load: async () => (await import("./cluster/commands.ts")).addClusterCommands },
  { words: ["operator"], load: async () => (await import("./operator/commands.ts")).addOperatorCommands },
  {
    words: ["completion"],
    load: async () => (await import("./completion/commands.ts")).addCompletionCommand,
  },
  { words: ["inject"], load: async () => (await import("./inject/commands.ts")).addInjectCommands },
  { words: ["lab"], load: async () => (await import("./lab/commands.ts")).addLabCommands },
];

/** All groups where the first word names none: help, suggestions and completion know every command. */
export async function buildProgram(firstWord: string | undefined): Promise<Command> {
  const program = new Command("hansa")
    .description("one mesh out of many clusters")
    .version(version(), "--version", "print the version")
    .addHelpText("after", "\n`hansa lab up --detach` starts three linked clusters on this machine.");
  const named =
    firstWord === undefined || firstWord === "completion"
      ? []
      : GROUPS.filter(({ words }) => words.includes(firstWord));
  for (const { load } of named.length > 0 ? named : GROUPS) (await load())(program);
  return program;
}

function version(): string {
  const { version: text } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return text;
}

// A reader that went away (`hansa events | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

if (import.meta.main) {
  const argv = process.argv.slice(2);
  process.exitCode = await runProgram(await buildProgram(argv[0]), argv);
}
