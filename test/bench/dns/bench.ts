/**
 * Queries per core of the agent's DNS server, against CoreDNS with the same zone as a file, in turns (A B A B). CPU is the
 * server's whole process's, kernel time included, so neither who asks nor a busy machine enters it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, freePort, startChild } from "../../../deploy/tools/child.ts";
import { startCoreDns } from "../../support/coredns.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { quantile, seeded } from "../support/numbers.ts";
import { Asker } from "./asker.ts";
import { type Kind, kinds, queries, SERVICES, zoneFile } from "./world.ts";

const PER_CORE_MIN = 20_000;
const UNDER_WAY = 64;
const QUERIES = 20_000;
/** Linux counts CPU in hundredths of a second for every program. */
const TICK_MS = 10;

interface Server {
  readonly name: string;
  readonly child: Child;
  readonly asker: Asker;
}

export const bench: Bench = {
  name: "dns",
  about: `DNS queries per core, ${SERVICES} services`,
  async run(context) {
    const dir = mkdtempSync(join(tmpdir(), "hansa-bench-dns-"));
    const servers: Server[] = [];
    try {
      servers.push(await hansa(dir), await coreDns(dir));
      for (const { name, asker } of servers) await agrees(name, asker);
      return await figures(context, servers);
    } finally {
      await Promise.all(servers.map(({ child }) => child.stop()));
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function figures({ seed, quick, log }: BenchContext, servers: readonly Server[]): Promise<Figure[]> {
  const random = seeded(seed);
  const [turns, turnMs, warmUpMs] = quick ? [2, 300, 300] : [5, 2000, 3000];
  const rows: Figure[] = [];
  for (const kind of [undefined, ...kinds]) {
    const asked = queries(quick ? 2000 : QUERIES, random, kind);
    for (const { asker } of servers) await asker.run(asked, kind === undefined ? warmUpMs : warmUpMs / 4);
    const seen = servers.map((): number[] => []);
    for (let turn = 0; turn < (kind === undefined ? turns : Math.ceil(turns / 2)); turn += 1)
      for (const [index, { child, asker }] of servers.entries())
        seen[index]?.push(await perCore(child.pid, () => asker.run(asked, turnMs)));
    const what = kind === undefined ? "mix as a pod asks" : kind.what;
    log(
      `  ${what}: ${servers.map(({ name }, index) => `${name} ${(seen[index] ?? []).map(thousands).join(" ")}`).join("; ")}`,
    );
    const [own = 0, peer = 0] = seen.map((rates) => quantile(rates, 0.5));
    rows.push({
      figure: `DNS queries per second and core: ${what}`,
      reach: kind === undefined ? `≥ ${thousands(PER_CORE_MIN)}` : "for information",
      measured: thousands(own),
      peer: `CoreDNS 1.15 (file) ${thousands(peer)}`,
      kept: kind === undefined ? own >= PER_CORE_MIN : true,
    });
  }
  return rows;
}

/** Answers per second of the process's CPU. */
async function perCore(pid: number, run: () => Promise<number>): Promise<number> {
  const before = cpuMs(pid);
  const answered = await run();
  return answered / ((cpuMs(pid) - before) / 1000);
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

const thousands = (rate: number): string => `${(rate / 1000).toFixed(1)} k`;

/** Both do the same work: code and number of answers of each kind. */
async function agrees(name: string, asker: Asker): Promise<void> {
  for (const kind of kinds) {
    const [query] = queries(1, () => 0.5, kind) as [Buffer];
    const answer = await asker.ask(query);
    const told = answer && `${answer.readUInt16BE(2) & 0xf}/${answer.readUInt16BE(6)}`;
    if (told !== expected(kind)) throw new Error(`${name}: ${kind.what}: ${told}, not ${expected(kind)}`);
  }
}

const expected = ({ rcode, answers }: Kind): string => `${rcode}/${answers}`;

/** Answers the mix's first question. */
const readiness = (asker: Asker) => {
  const [probe] = queries(1, () => 0, kinds[0]) as [Buffer];
  return async (): Promise<boolean> => (await asker.ask(probe)) !== undefined;
};

async function hansa(dir: string): Promise<Server> {
  const port = await freePort();
  const asker = new Asker(port, UNDER_WAY);
  const program = new URL("./hansa-server.ts", import.meta.url).pathname;
  const child = await startChild({
    argv: [process.execPath, program, `${port}`],
    log: join(dir, "hansa.log"),
    stopSignal: "SIGTERM",
    isReady: readiness(asker),
  });
  return { name: "hansa", child, asker };
}

async function coreDns(dir: string): Promise<Server> {
  const port = await freePort();
  const asker = new Asker(port, UNDER_WAY);
  const zone = join(dir, "zone");
  writeFileSync(zone, zoneFile());
  const corefile = `clusterset.local:${port} {\n  bind 127.0.0.1\n  file ${zone} {\n    reload 0\n  }\n}\n`;
  const child = await startCoreDns({ dir, corefile, isReady: readiness(asker) });
  return { name: "CoreDNS", child, asker };
}
