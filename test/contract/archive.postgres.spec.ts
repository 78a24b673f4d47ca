/** The contract on real Postgres; and the simulator's archive beside it, asked the same at random. */
import { type Archive, openStore } from "@hansa/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArchiveServer, MemoryArchive } from "../sim/archive/memory-archive.ts";
import { seeded } from "../sim/kernel.ts";
import { share } from "../support/tier.ts";
import { type ArchiveWorld, archiveContract, storedIn } from "./archive.contract.ts";
import { account, batch, chain, MIGRATIONS, type StoreRig, startStoreRig } from "./store-rig.ts";

let rig: StoreRig;
beforeAll(async () => {
  rig = await startStoreRig();
});
afterAll(() => rig?.stop());

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function postgres(): Promise<ArchiveWorld> {
  const url = await rig.freshDatabase();
  const first = openStore({ url });
  await first.migrate(MIGRATIONS);
  const open = [first];
  return {
    open: () => {
      const store = openStore({ url });
      open.push(store);
      return store;
    },
    pass,
    close: async () => {
      for (const store of open) await store.close();
    },
  };
}

archiveContract("Postgres", postgres);

const SEEDS = share(60);
const STEPS = 25;
const EVEN_THE_NEWEST_MS = 60_000;

/** Records of two logs in any order: some lost, repeated, forked, and with new epochs. */
function turbulent(seed: number) {
  const random = seeded(seed);
  const logs = ["X", "Y"].map((letter) => chain(account(letter)));
  const forks = ["X", "Y"].map((letter) => chain(account(letter)));
  const pool: ReturnType<(typeof logs)[number]["next"]>[] = [];
  return () => {
    for (let n = random.below(4); n >= 0; n -= 1) {
      const which = random.below(2);
      if (random.chance(0.15)) logs[which]!.newEpoch(random.chance(0.5));
      pool.push(logs[which]!.next(`want/a${random.below(9)}`));
      if (random.chance(0.1)) pool.push(forks[which]!.next("want/fork"));
    }
    return Array.from({ length: random.below(5) }, () => pool[random.below(pool.length)]!);
  };
}

async function ask(
  archive: Archive,
  epoch: number,
  records: ReturnType<ReturnType<typeof turbulent>>,
  step: number,
) {
  const { committedMs: _, ...outcome } = await archive.commit(batch(epoch, records));
  const lost = step % 7 === 6 ? await archive.giveUpGaps(epoch, -EVEN_THE_NEWEST_MS) : [];
  const sorted = (items: readonly object[]) => items.map((item) => JSON.stringify(item)).sort();
  return {
    outcome: { ...outcome, heads: sorted(outcome.heads), gaps: sorted(outcome.gaps) },
    lost: sorted(lost),
    heads: (await archive.heads()).map(({ source, head }) => [source, head]).sort(),
    gaps: (await archive.gaps())
      .map(({ source, before, closed }) => JSON.stringify([source, before, closed]))
      .sort(),
    lostGaps: await archive.lostGaps(0, outcome.position),
    records: (await storedIn(archive, 0, outcome.position)).map(({ hash, trusted }) => [hash, trusted]),
  };
}

test("at random, the simulator's archive answers what Postgres answers", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = await postgres();
    const real = world.open();
    const double = new MemoryArchive(new ArchiveServer(() => performance.now()));
    const [one, other] = [(await real.lead())!, (await double.lead())!];
    const next = turbulent(seed);
    for (let step = 0; step < STEPS; step += 1) {
      const records = next();
      const expected = await ask(real, one.epoch, records, step);
      expect([seed, step, await ask(double, other.epoch, records, step)]).toEqual([seed, step, expected]);
    }
    await one.resign();
    await world.close();
  }
});
