/** The frame of all commands: global options, output, exit status. Commands themselves are in folders by domain. */
import { CODES, HansaError, isHansaError } from "@hansa/core";
import { type Command, CommanderError } from "commander";
import { type Context, loadContext } from "./context.ts";
import { FORMATS, type Format, parseFormat, printable, type Result, render } from "./output.ts";

export interface Shell {
  readonly context: () => Context;
  readonly format: Format;
}

/** What a command does: its result is printed; undefined prints nothing. `status` overrides exit status 0. */
export type Action = (
  shell: Shell,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<(Result & { readonly status?: number }) | undefined>;

/** [flags, description, default]. */
export type OptionSpec = readonly [string, string, (string | boolean)?];

export interface CommandSpec {
  /** e.g. `call <caller> <service>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly OptionSpec[];
  /** Options that may be repeated: their value is a list. */
  readonly lists?: readonly (readonly [string, string])[];
  /** Printed below the options by --help. */
  readonly example?: string;
  readonly action: Action;
  /** The command itself opens a context of Kubernetes that --context names. */
  readonly takesKubernetes?: boolean;
}

/** Only the command that runs is loaded: a start costs tens of milliseconds instead of hundreds. */
export const lazily =
  (load: () => Promise<{ readonly action: Action }>): Action =>
  async (shell, args, options) =>
    (await load()).action(shell, args, options);

/** Answers the command, for those that have sub-commands as well (`explain`). */
export function addCommand(parent: Command, spec: CommandSpec): Command {
  const command = parent.command(spec.usage).description(spec.summary);
  command.option("-o, --output <format>", `${FORMATS.join(", ")}`, "table");
  command.option(
    "--context <file>",
    "context file, or a context of kubectl (default: this checkout's lab, or HANSA_CONTEXT)",
  );
  for (const [flags, description, fallback] of spec.options ?? [])
    command.option(flags, description, fallback);
  for (const [flags, description] of spec.lists ?? [])
    command.option(flags, description, (value: string, before: string[]) => [...before, value], []);
  if (spec.example !== undefined) command.addHelpText("after", `\nExample:\n  ${spec.example}`);
  command.action(async () => {
    const options = command.opts();
    const format = parseFormat(String(options.output));
    const shell: Shell = { context: await contextOf(options.context, spec.takesKubernetes === true), format };
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined) as string[];
    const result = await spec.action(shell, args, options);
    if (result === undefined) return;
    await write(printable(await render(result, format)));
    process.exitCode = result.status ?? 0;
  });
  return command;
}

/** Read when the command asks for it; what is in Kubernetes is asked before, for that takes time. */
async function contextOf(named: unknown, isTheCommands: boolean): Promise<() => Context> {
  if (!isTheCommands && (await import("../kube/names.ts")).isKubeContext(named)) {
    const context = await (await import("../kube/context.ts")).kubeContext(named);
    return () => context;
  }
  return () => loadContext(named as string | undefined);
}

export const write = (text: string): Promise<void> =>
  new Promise((resolve) => process.stdout.write(text, () => resolve()));

/** Runs the program; answers the exit status. Errors go to stderr with code and next step, never to stdout. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  configure(program);
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      // A group without its command: commander has printed the group's help and no error.
      if (error.code === "commander.help" && error.exitCode !== 0)
        process.stderr.write(`\nerror HSA1001 (usage): ${argv.join(" ")}: needs one of the commands above\n`);
      return error.exitCode === 0 ? 0 : CODES.HSA1001.exit;
    }
    const known = isHansaError(error)
      ? error
      : new HansaError("HSA1011", (error as Error).stack ?? String(error), { cause: error });
    process.stderr.write(printable(errorText(known)));
    return known.exitStatus;
  }
}

export const errorText = (error: HansaError): string =>
  `error ${error.code} (${CODES[error.code].name}): ${error.message}\n  what to do: ${CODES[error.code].todo}\n`;

/** Usage errors are ours too: code and exit status 64. Commander copies neither setting to sub-commands. */
function configure(command: Command): void {
  // `explain` is a command and has commands below it: an option belongs to the one after which it stands.
  command.enablePositionalOptions();
  command.exitOverride();
  command.showHelpAfterError(false);
  command.configureOutput({
    outputError: (text, writeError) => {
      writeError(`error HSA1001 (usage): ${printable(text.replace(/^error: /, "").trim())}\n`);
      writeError(`  usage: ${usageOf(command)}; \`--help\` says more\n`);
    },
  });
  for (const child of command.commands) configure(child);
}

function usageOf(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one !== null; one = one.parent) names.unshift(one.name());
  return `${names.join(" ")} ${command.usage()}`;
}

/** A whole number option; throws HSA1001. */
export function wholeNumber(flag: string, value: unknown, min: number, max: number): number {
  const text = String(value);
  const number = /^-?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isInteger(number) || number < min || number > max)
    throw new HansaError("HSA1001", `${flag} ${text}: must be a whole number from ${min} to ${max}`);
  return number;
}
