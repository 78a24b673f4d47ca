/** Lines of a text that another does not have, in order, with some lines around them. Pure. */

const CONTEXT = 2;

interface Line {
  readonly mark: " " | "+" | "-";
  readonly text: string;
}

/** Manifests only gain lines in blocks: what both texts begin and end with is common, line by line in between. */
export function diffLines(before: string, after: string): string {
  const lines = compare(before.split("\n"), after.split("\n"));
  const shown = new Set<number>();
  for (const [index, { mark }] of lines.entries())
    if (mark !== " ") for (let at = index - CONTEXT; at <= index + CONTEXT; at += 1) shown.add(at);
  let last = -1;
  return lines
    .flatMap(({ mark, text }, index) => {
      if (!shown.has(index)) return [];
      const gap = index > last + 1 && last >= 0 ? ["…"] : [];
      last = index;
      return [...gap, `${mark}${text}`];
    })
    .join("\n");
}

/** Each line after goes with the next equal line before, if one is left: enough where lines are added and few change. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const lines: Line[] = [];
  let at = 0;
  for (const text of after) {
    const found = before.indexOf(text, at);
    const isNext =
      found === at || (found > at && !before.slice(at, found).some((line) => after.includes(line)));
    if (!isNext) {
      lines.push({ mark: "+", text });
      continue;
    }
    for (const gone of before.slice(at, found)) lines.push({ mark: "-", text: gone });
    lines.push({ mark: " ", text });
    at = found + 1;
  }
  for (const gone of before.slice(at)) lines.push({ mark: "-", text: gone });
  return lines;
}
