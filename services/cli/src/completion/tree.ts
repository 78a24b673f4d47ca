/** The command table as completion sees it: every command by its path, with the words that may follow. Pure. */
import type { Command, Option } from "commander";
import { FORMATS } from "../shell/output.ts";

export interface Word {
  readonly word: string;
  readonly summary: string;
}

export interface Place {
  /** Words before, e.g. `cluster join`; "" = after `hansa`. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

export interface Tree {
  readonly places: readonly Place[];
  /** Options that a value follows. */
  readonly valued: readonly string[];
  /** What may follow an option. */
  readonly values: Readonly<Record<string, readonly string[]>>;
}

export function treeOf(program: Command): Tree {
  const places: Place[] = [];
  const valued = new Set<string>();
  const walk = (command: Command, path: string): void => {
    for (const option of command.options)
      if (takesValue(option)) for (const flag of flagsOf(option)) valued.add(flag);
    places.push({
      path,
      commands: command.commands.map((one) => ({ word: one.name(), summary: one.description() })),
      options: command.options.flatMap((option) =>
        flagsOf(option).map((word) => ({ word, summary: option.description })),
      ),
    });
    for (const child of command.commands) walk(child, path === "" ? child.name() : `${path} ${child.name()}`);
  };
  walk(program, "");
  return { places, valued: [...valued].sort(), values: { "-o": FORMATS, "--output": FORMATS } };
}

const flagsOf = ({ long, short }: Option): string[] =>
  [short, long].filter((flag) => flag !== undefined && flag !== null);
const takesValue = ({ required, optional }: Option): boolean => required || optional;
