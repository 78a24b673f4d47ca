/**
 * A process of its own for one mutant: rewrites the source text as modules are loaded, so that product code needs no
 * flag, and runs seeds until an invariant breaks. Answers one line of JSON.
 *
 *     node child.ts '{"edits": [...], "firstSeed": 1, "seeds": 20}'
 */
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Edit } from "./mutant.ts";
import { ROOT } from "./root.ts";

interface Task {
  readonly edits: readonly Edit[];
  readonly firstSeed: number;
  readonly seeds: number;
}

export interface Answer {
  /** Seeds run, the one that broke included. */
  readonly seeds: number;
  /** The broken invariant; null where all held. */
  readonly broken: string | null;
}

const { edits, firstSeed, seeds } = JSON.parse(process.argv[2] ?? "") as Task;
const pending = new Set(edits);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith("file:")) return loaded;
    const mine = edits.filter(({ file }) => `${ROOT}/${file}` === fileURLToPath(url));
    if (mine.length === 0) return loaded;
    let source = String(loaded.source instanceof Uint8Array ? Buffer.from(loaded.source) : loaded.source);
    for (const edit of mine) {
      source = source.replace(edit.from, () => edit.to);
      pending.delete(edit);
    }
    return { ...loaded, source };
  },
});

function answer(ran: number, broken: string | null): never {
  process.stdout.write(`${JSON.stringify({ seeds: ran, broken } satisfies Answer)}\n`);
  process.exit(0);
}

let ran = 0;
// A broken assertion of the product is as good as a broken invariant.
process.on("unhandledRejection", (reason) => answer(ran, `unhandled: ${String(reason)}`));
process.on("uncaughtException", (error) => answer(ran, `uncaught: ${String(error)}`));

const { runFederation } = await import("../federation-run.ts");
if (pending.size > 0) throw new Error(`never loaded: ${[...pending].map(({ file }) => file).join(", ")}`);
for (; ran < seeds; ) {
  ran += 1;
  try {
    await runFederation(firstSeed + ran - 1);
  } catch (error) {
    answer(ran, error instanceof Error ? error.message : String(error));
  }
}
answer(ran, null);
