/**
 * `npm run bench [-- NAME…] [--quick] [--seed N] [--write]`: runs the benchmarks one after the other and prints one table.
 * --write puts it into docs/performance.md with machine and commit.
 */
import { parseArgs } from "node:util";
import { table, writeResults, yesOrNo } from "../support/table.ts";
import type { Bench, Figure } from "./bench.ts";

/** In this order, each imported only where it runs. */
const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  durable: () => import("./durable/bench.ts"),
  xds: () => import("./xds/bench.ts"),
  dns: () => import("./dns/bench.ts"),
  encode: () => import("./encode/bench.ts"),
  propagation: () => import("./propagation/bench.ts"),
  scale: () => import("./scale/bench.ts"),
  failover: () => import("./failover/bench.ts"),
  wipe: () => import("./wipe/bench.ts"),
  kube: () => import("./kube/bench.ts"),
  "kube-watch": () => import("./kube-watch/bench.ts"),
};

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
const results = table(
  ["figure", "reach", "measured", "peer in the same run", "kept"],
  figures.map(({ figure, reach, measured, peer, kept }) => [
    figure,
    reach,
    measured,
    peer ?? "",
    yesOrNo(kept),
  ]),
);
process.stdout.write(results);
if (values.write) writeResults("performance.md", results);
process.exitCode = values.quick || figures.every(({ kept }) => kept) ? 0 : 1;
