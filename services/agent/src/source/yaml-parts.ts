/**
 * Reads a large YAML document again after a small change: the items of its lists are parsed one by one, and an item
 * whose text is that of the last reading is the same object as then. Whatever does not have the plain shape (a mapping of
 * block lists) is parsed as a whole, and so is every text with an error, so that its place is named.
 */
import { parse } from "yaml";

/** No alias: a small file must not unfold into a large document. */
const wholly = (text: string): unknown => parse(text, { maxAliasCount: 0 });

const KEY = /^([a-zA-Z]+):[ \t]*(#.*)?$/;
const BLANK = /^[ ]*(#.*)?$/;

interface Section {
  readonly key: string;
  readonly lines: string[];
}

/** undefined: not the plain shape. */
function sectionsOf(text: string): Section[] | undefined {
  const sections: Section[] = [];
  for (const line of text.split("\n")) {
    const key = KEY.exec(line)?.[1];
    if (key !== undefined) {
      if (sections.some((section) => section.key === key)) return undefined;
      sections.push({ key, lines: [] });
    } else if (BLANK.test(line)) sections.at(-1)?.lines.push(line);
    else if (sections.length > 0 && /^[ -]/.test(line)) sections.at(-1)?.lines.push(line);
    else return undefined;
  }
  return sections;
}

/** Texts of the items of a block list; undefined where it is none. */
function itemsOf(lines: readonly string[]): string[] | undefined {
  const first = lines.find((line) => !BLANK.test(line));
  const dash = first === undefined ? undefined : /^( *)- /.exec(first)?.[0];
  if (dash === undefined) return undefined;
  const indent = dash.length - 2;
  const items: string[][] = [];
  for (const line of lines) {
    if (line.startsWith(dash)) items.push([line]);
    else if (BLANK.test(line)) items.at(-1)?.push(line);
    else if (items.length > 0 && line.startsWith(" ".repeat(indent + 1))) items.at(-1)?.push(line);
    else return undefined;
  }
  return items.map((item) => item.join("\n"));
}

export class YamlParts {
  /** Of the last reading that had the plain shape; bounded by its text. */
  #known: ReadonlyMap<string, unknown> = new Map();

  /** Throws where the text is no YAML, as the parser does. */
  read(text: string): unknown {
    return this.#inParts(text) ?? wholly(text);
  }

  #inParts(text: string): Record<string, unknown> | undefined {
    const sections = sectionsOf(text);
    if (sections === undefined || sections.length === 0) return undefined;
    const seen = new Map<string, unknown>();
    const document: Record<string, unknown> = {};
    try {
      for (const { key, lines } of sections) {
        const items = itemsOf(lines);
        if (items === undefined) return undefined;
        document[key] = items.map((item) => this.#item(item, seen));
      }
    } catch {
      return undefined;
    }
    this.#known = seen;
    return document;
  }

  #item(text: string, seen: Map<string, unknown>): unknown {
    const known = this.#known.get(text);
    const value = known ?? only(wholly(text));
    // The same text twice in one document is two items.
    if (seen.has(text)) return only(wholly(text));
    seen.set(text, value);
    return value;
  }
}

function only(list: unknown): unknown {
  if (!Array.isArray(list) || list.length !== 1 || typeof list[0] !== "object" || list[0] === null)
    throw new TypeError("not one item");
  return list[0];
}
