/**
 * CPU of one xDS push with its ACK, against go-control-plane's caches in the same run. Servers are measured in turns
 * (A B A B), each the median of its turns, so that a busy machine hits both alike; CPU is the whole process's, not wall time.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { Cell, type CellOptions, type Connected, type Rounds, type ServerKind } from "./cell.ts";
import { mutualTls, PLAINTEXT, type TlsArguments } from "./certificates.ts";
import { type GoPrograms, goPrograms } from "./go-programs.ts";
import { pinning } from "./program.ts";

const TIMES_CHEAPER_MIN = 7;
const FLAT_WITHIN = 0.2;
const ENDPOINTS = 10;

interface Scale {
  readonly streams: number;
  readonly names: number;
  readonly flatNames: readonly number[];
  readonly turns: number;
  readonly turnMs: number;
  readonly warmUpMs: number;
}

const FULL: Scale = {
  streams: 500,
  names: 1000,
  flatNames: [100, 1000, 20_000],
  turns: 5,
  turnMs: 1500,
  warmUpMs: 2000,
};
const QUICK: Scale = {
  streams: 50,
  names: 1000,
  flatNames: [100, 1000, 5000],
  turns: 2,
  turnMs: 300,
  warmUpMs: 300,
};
/** A turn of a slow peer may take longer than its time, but not end without having been measured. */
const ROUNDS_MIN = 3;

export const bench: Bench = {
  name: "xds",
  about: `CPU of one push with its ACK, ${pinning}`,
  async run(context) {
    const programs = goPrograms();
    const dir = mkdtempSync(join(tmpdir(), "hansa-bench-xds-"));
    try {
      return await new Run(context, programs, mutualTls(dir)).figures();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

interface Measured {
  readonly options: CellOptions;
  readonly cpuUs: number;
}

class Run {
  private readonly scale: Scale;
  private readonly log: BenchContext["log"];
  private readonly programs: GoPrograms;
  private readonly mutual: TlsArguments;

  constructor({ quick, log }: BenchContext, programs: GoPrograms, mutual: TlsArguments) {
    this.scale = quick ? QUICK : FULL;
    this.log = log;
    this.programs = programs;
    this.mutual = mutual;
  }

  async figures(): Promise<Figure[]> {
    const { names, flatNames } = this.scale;
    const of = (kind: ServerKind, tls = PLAINTEXT, count = names): CellOptions => ({
      kind,
      names: count,
      endpoints: ENDPOINTS,
      streams: this.scale.streams,
      tls,
    });
    const plain = await this.inTurns([of("hansa"), of("linear")]);
    const mutual = await this.inTurns([of("hansa", this.mutual), of("linear", this.mutual)]);
    const snapshot = await this.inTurns([of("hansa"), of("snapshot")]);
    const flat = await this.inTurns(flatNames.map((count) => of("hansa", PLAINTEXT, count)));
    return [
      this.against("plaintext", plain, TIMES_CHEAPER_MIN),
      this.against("mTLS", mutual, TIMES_CHEAPER_MIN),
      this.against("plaintext, for information", snapshot, undefined),
      flatness(flat),
      await this.warmReconnect(of("hansa")),
    ];
  }

  /** Starts all, warms each up, then measures one after the other, several times. */
  private async inTurns(all: readonly CellOptions[]): Promise<readonly Measured[]> {
    const { turns, turnMs, warmUpMs } = this.scale;
    const cells: Cell[] = [];
    try {
      for (const options of all) cells.push(await Cell.start(options, this.programs));
      for (const cell of cells) await cell.rounds(warmUpMs, ROUNDS_MIN);
      const seen = cells.map((): number[] => []);
      for (let turn = 0; turn < turns; turn += 1)
        for (const [index, cell] of cells.entries()) {
          const rounds = await cell.rounds(turnMs, ROUNDS_MIN);
          this.tell(cell.options, rounds);
          seen[index]?.push(rounds.cpuUsPerPush);
        }
      return all.map((options, index) => ({ options, cpuUs: median(seen[index] ?? []) }));
    } finally {
      await Promise.all(cells.map((cell) => cell.end()));
    }
  }

  private tell({ kind, names, tls }: CellOptions, rounds: Rounds): void {
    const { cpuUsPerPush, bytesPerPush, p50Ms, p99Ms, pushes } = rounds;
    const what = `${kind} ${names} names ${tls === PLAINTEXT ? "plaintext" : "mTLS"}`;
    const cost = `${cpuUsPerPush.toFixed(1)} µs and ${bytesPerPush.toFixed(0)} bytes per push`;
    const when = `change to client p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} ms`;
    this.log(`  ${what}: ${cost}, ${when}, ${pushes} pushes, load ${loadavg()[0]?.toFixed(1)}`);
  }

  private against(how: string, [own, peer]: readonly Measured[], timesMin: number | undefined): Figure {
    if (own === undefined || peer === undefined) throw new Error("two servers are compared");
    const times = peer.cpuUs / own.cpuUs;
    return {
      figure: `CPU per push incl. ACK, ${own.options.names} names × ${own.options.streams} streams, ${how}`,
      reach: timesMin === undefined ? "none" : `≥ ${timesMin}× cheaper`,
      measured: `${own.cpuUs.toFixed(1)} µs, ${times.toFixed(1)}× cheaper`,
      peer: `go-control-plane ${peer.options.kind} cache ${peer.cpuUs.toFixed(0)} µs`,
      kept: timesMin === undefined || times >= timesMin,
    };
  }

  /** After changes, so that no version is the one that the server began with. */
  private async warmReconnect(options: CellOptions): Promise<Figure> {
    const cell = await Cell.start(options, this.programs);
    let seen: Connected;
    try {
      await cell.rounds(0, ROUNDS_MIN);
      seen = await cell.reconnect();
      // The streams must be alive, not merely silent.
      await cell.rounds(0, ROUNDS_MIN);
    } finally {
      await cell.end();
    }
    const sent = seen.resourcesSent + seen.removed;
    return {
      figure: `warm reconnect of ${seen.warmStreams} streams with ${options.names} names`,
      reach: "0 resources sent",
      measured: `${sent} resources sent, ${(seen.cpuUsPerWarm / 1000).toFixed(1)} ms CPU per stream`,
      kept: sent === 0,
    };
  }
}

function flatness(all: readonly Measured[]): Figure {
  const costs = all.map(({ cpuUs }) => cpuUs);
  const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
  const ratio = Math.max(...costs) / Math.min(...costs);
  const names = all.map(({ options }) => options.names);
  return {
    figure: `CPU per push from ${names[0]} to ${names.at(-1)} names, plaintext`,
    reach: "flat (±20 %)",
    measured: `${costs.map((cost) => cost.toFixed(1)).join(", ")} µs with ${names.join(", ")} names; max/min ${ratio.toFixed(2)}`,
    kept: costs.every((cost) => Math.abs(cost - mean) <= FLAT_WITHIN * mean),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
