/** Marks of findings: √ ‼ × where the terminal can show them, ASCII elsewhere; colour only where it is wanted. */
export type Grade = "ok" | "warn" | "fail";

export type Mark = (grade: Grade) => string;

const SIGNS: Readonly<Record<Grade, readonly [unicode: string, ascii: string, colour: number]>> = {
  ok: ["√", "[ok]", 32],
  warn: ["‼", "[warn]", 33],
  fail: ["×", "[fail]", 31],
};

export interface Terminal {
  readonly isTTY: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** NO_COLOR (no-color.org) counts when it is not empty. Without any locale UTF-8 is not assumed. */
export function marksFor({ isTTY, env }: Terminal): Mark {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  const unicode = /utf-?8/i.test(locale) && env.TERM !== "dumb";
  const colour = isTTY && !env.NO_COLOR && env.TERM !== "dumb";
  return (grade) => {
    const [sign, ascii, code] = SIGNS[grade];
    const text = unicode ? sign : ascii;
    return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  };
}
