/** `hansa explain [HSA####]`: what a code means and what to do. Needs no network. */
import { CODES, type Code, HansaError, isCode } from "@hansa/core";
import { table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";

export const action: Action = async (_shell, [given]) => {
  if (given === undefined) return listCodes();
  const code = given.toUpperCase();
  if (!isCode(code)) {
    // Sub-commands of `explain` are matched before, so this word is meant as a code.
    const isForm = /^HSA\d{4}$/.test(code);
    throw new HansaError(
      isForm ? "HSA1007" : "HSA1001",
      isForm
        ? `${given}: no such code`
        : `${given}: must be a code (HSA1001), \`route CALLER SERVICE\` or \`access SPIFFE_ID SERVICE\``,
    );
  }
  const { name, meaning, todo, exit } = CODES[code];
  return {
    kind: "Code",
    data: { code, name, meaning, todo, exitStatus: exit },
    text: () => `${code} ${name}\n\n${meaning}\n\nWhat to do: ${todo}`,
  };
};

function listCodes() {
  const items = (Object.keys(CODES) as Code[]).map((code) => {
    const { name, meaning, todo, exit } = CODES[code];
    return { code, name, meaning, todo, exitStatus: exit };
  });
  return {
    kind: "CodeList",
    data: { items },
    text: () =>
      table(
        ["CODE", "NAME", "MEANING"],
        items.map(({ code, name, meaning }) => [code, name, meaning]),
      ),
  };
}
