/** Completion scripts know every command, and shells that are here complete by them. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../main.ts";
import { SHELLS, type ShellName, scriptFor } from "./scripts.ts";
import { treeOf } from "./tree.ts";

const tree = treeOf(await buildProgram(undefined));
const script = (shell: ShellName): string => scriptFor(shell, tree);

describe.each(SHELLS)("%s", (shell) => {
  it("has every command and every option of the table", () => {
    const text = script(shell);
    expect(tree.places.length).toBeGreaterThan(30);
    for (const { commands, options } of tree.places)
      for (const { word } of [...commands, ...options])
        expect(text).toContain(shell === "fish" ? word.replace(/^--?/, "") : word);
  });

  const isHere = spawnSync(shell, ["-c", "exit 0"]).status === 0;
  const name = isHere
    ? "completes as it reads the script"
    : "is not on this machine: its script is only looked at";
  it(name, () => {
    if (!isHere) return;
    for (const [line, wanted] of LINES)
      expect(complete(shell, line), line).toEqual(expect.arrayContaining([...wanted]));
    expect(complete(shell, "hansa cluster jo")).toEqual(["join"]);
  });
});

const LINES: readonly (readonly [string, readonly string[]])[] = [
  ["hansa ", ["cluster", "get", "check", "completion", "lab"]],
  ["hansa cluster ", ["token", "join", "leave", "drain"]],
  ["hansa cluster join --to", ["--token"]],
  ["hansa explain ", ["route", "access"]],
  ["hansa get -o j", ["json"]],
];

function complete(shell: ShellName, line: string): string[] {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const asks = {
    bash: `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _hansa; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: `compadd() { shift; print -l -- \${(M)@:#\${words[CURRENT]}*} }
_describe() { local name=\${@[-1]}; print -l -- \${\${(P@)name}%%:*} | grep "^\${words[CURRENT]}" }
_files() { : }
words=(${quoted}); CURRENT=${words.length}; _hansa`,
    fish: `complete -C '${line}' | string split -f1 \\t`,
  };
  const prelude = shell === "zsh" ? "compdef() { : }\n" : "";
  const { stdout } = spawnSync(shell, ["-c", `${prelude}${script(shell)}\n${asks[shell]}`], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter((word) => word !== "");
}
