/** JSON for Postgres: whatever a source wrote, the text must be one that text and jsonb columns take. */

/**
 * U+0000 and lone surrogates, which Postgres cannot hold (JSON.stringify always escapes them), become U+FFFD. The archived
 * record's bytes keep what was sent; only the readable copies show the replacement.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes("\\u") ? text.replace(UNSTORABLE, "$1\\ufffd") : text;
}

/** An escape counts where the backslashes before it pair up. */
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;
