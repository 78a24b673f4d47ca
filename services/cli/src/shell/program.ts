/** The frame of all commands: global options, output, exit status. Commands themselves are in ../lab, ../mesh, ../cluster. */
import { CODES, HansaError, isHansaError } from "@hansa/core";
import { type Command, CommanderError } from "commander";
import { type Context, loadContext } from "./context.ts";
import { FORMATS, parseFormat, type Result, render } from "./output.ts";

export interface Shell {
  readonly context: () => Context;
}

/** What a command does: its result is printed; undefined prints nothing. `status` overrides exit status 0. */
export type Action = (
  shell: Shell,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<(Result & { readonly status?: number }) | undefined>;

export interface CommandSpec {
  /** e.g. `call <caller> <service>`. */
  readonly usage: string;
  readonly summary: string;
  /** [flags, description, default]. */
  readonly options?: readonly (readonly [string, string, (string | boolean)?])[];
  readonly action: Action;
}

export function addCommand(parent: Command, spec: CommandSpec): void {
  const command = parent.command(spec.usage).description(spec.summary);
  command.option("-o, --output <format>", `${FORMATS.join(", ")}`, "table");
  command.option("--context <file>", "context file (default: this checkout's lab, or HANSA_CONTEXT)");
  for (const [flags, description, fallback] of spec.options ?? [])
    command.option(flags, description, fallback);
  command.action(async () => {
    const options = command.opts();
    const format = parseFormat(String(options.output));
    const shell: Shell = { context: () => loadContext(options.context as string | undefined) };
    const result = await spec.action(shell, command.processedArgs.flat() as string[], options);
    if (result === undefined) return;
    await write(render(result, format));
    process.exitCode = result.status ?? 0;
  });
}

const write = (text: string): Promise<void> =>
  new Promise((resolve) => process.stdout.write(text, () => resolve()));

/** Runs the program; answers the exit status. Errors go to stderr with code and next step, never to stdout. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  configure(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : CODES.HSA1001.exit;
    const known = isHansaError(error)
      ? error
      : new HansaError("HSA1011", (error as Error).stack ?? String(error), { cause: error });
    process.stderr.write(`error ${known.code} (${CODES[known.code].name}): ${known.message}\n`);
    process.stderr.write(`  what to do: ${CODES[known.code].todo}\n`);
    return known.exitStatus;
  }
}

/** Usage errors are ours too: code and exit status 64. Commander copies neither setting to sub-commands. */
function configure(command: Command): void {
  command.exitOverride();
  command.showHelpAfterError(false);
  command.configureOutput({
    outputError: (text, writeError) => {
      writeError(`error HSA1001 (usage): ${text.replace(/^error: /, "").trim()}\n`);
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
  const number = Number(value);
  if (!Number.isInteger(number) || number < min || number > max)
    throw new HansaError("HSA1001", `${flag} ${String(value)}: must be a whole number from ${min} to ${max}`);
  return number;
}
