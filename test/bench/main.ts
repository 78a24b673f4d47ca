/**
 * `npm run bench [-- NAME…] [--quick] [--seed N] [--write]`: runs the benchmarks one after the other and prints one table.
 * --write puts it into docs/performance.md with machine and commit.
 */
import { parseArgs } from "node:util";
import type { Bench, Figure } from "./bench.ts";
import { table, writePerformance } from "./report.ts";

/** In this order, each imported only where it runs. */
const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const names = positionals.length === 0 ? Object.keys(benches) : positionals;
const unknown = names.filter((name) => !(name in benches));
if (unknown.length > 0) {
  log(`bench: no ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}

const figures: Figure[] = [];
for (const name of names) {
  const { bench } = await (benches[name] as () => Promise<{ readonly bench: Bench }>)();
  log(`${name}: ${bench.about}`);
  figures.push(...(await bench.run({ seed: Number(values.seed), quick: values.quick, log })));
}
process.stdout.write(table(figures));
if (values.write) writePerformance(figures);
process.exitCode = values.quick || figures.every(({ kept }) => kept) ? 0 : 1;
