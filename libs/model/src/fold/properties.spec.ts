/** The promises of the fold over random histories (design §3). HANSA_SOAK=1 runs ten times as many, unseeded. */
import { base64 } from "@hansa/core";
import {
  type BusRecord,
  commandKey,
  endpointKey,
  type RecordHeader,
  serviceKey,
  wantKey,
} from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Federation } from "./federation.ts";
import {
  admit,
  command,
  endpoint,
  feed,
  GRANT,
  newFederation,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "./rig.ts";
import { rigSigner } from "./rig-crypto.ts";
import { NAMES, play, type Run, type Step } from "./rig-history.ts";

const SOAK = process.env.HANSA_SOAK === "1";
vi.setConfig({ testTimeout: 300_000 });
const runs = (numRuns: number) => (SOAK ? { numRuns: 10 * numRuns } : { numRuns, seed: 20261123 });

const who = fc.nat(2);
const n = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("service", "unservice"), who, n }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("endpoint", "unendpoint"), who, n }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("write" as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("restart", "snapshot"), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("drain", "undrain", "rekey", "evict"), who }) },
) as fc.Arbitrary<Step>;
const history = fc.array(step, { minLength: 1, maxLength: 60 });

/** Delivers in any order, with repetitions; asks again for what shows a gap, as an agent does. */
function deliver(fed: Federation, records: readonly BusRecord[]): void {
  let waiting = [...records];
  for (let round = 0; waiting.length > 0 && round <= records.length; round++) {
    const again: BusRecord[] = [];
    for (const record of waiting) {
      const outcome = fed.apply(record);
      expect(outcome.kind).not.toBe("quarantined");
      if (outcome.kind === "gap" || (outcome.kind === "parked" && !outcome.held)) again.push(record);
      if (outcome.kind === "applied")
        for (const { source, lane } of outcome.gaps)
          again.push(...records.filter((other) => other.account === source && other.lane === lane));
    }
    waiting = again;
  }
  expect(waiting).toEqual([]);
}

const facts = (fed: Federation) => ({
  digest: fed.digest(),
  members: fed.members().map(({ cluster, state, signingKey }) => ({ cluster, state, signingKey })),
  commands: fed.commands().map(({ hash }) => hash),
  findings: fed.findings().filter(({ code }) => code !== "HSA2005"),
  effective: NAMES.map((name) =>
    [...fed.registers(name)].flatMap((view) => fed.effect(name, view)?.key ?? []).sort(),
  ),
});

const inOrder = (run: Run): Federation => {
  const fed = newFederation();
  deliver(fed, run.records);
  return fed;
};

/** Merges the logs at random, each in its own order: lanes and sources are not ordered against each other. */
function interleave(records: readonly BusRecord[], picks: readonly number[]): BusRecord[] {
  const logs = [...Map.groupBy(records, (record) => `${record.account} ${record.lane}`).values()].map(
    (log) => [...log],
  );
  const merged: BusRecord[] = [];
  for (let turn = 0; logs.some((log) => log.length > 0); turn++) {
    const open = logs.filter((log) => log.length > 0);
    merged.push(open[(picks[turn % picks.length] ?? 0) % open.length]!.shift()!);
  }
  return merged;
}

const picks = fc.array(fc.nat(100), { minLength: 1, maxLength: 50 });

describe("the fold", () => {
  it("gives the same state for every interleaving of the logs, with repetitions", () => {
    fc.assert(
      fc.property(history, picks, picks, (steps, order, repeats) => {
        const run = play(steps);
        const merged = interleave(run.records, order);
        const repeated = merged.flatMap((record, index) =>
          repeats[index % repeats.length]! < 30
            ? [record, merged[repeats[index % repeats.length]! % (index + 1)]!]
            : [record],
        );
        const fed = newFederation();
        deliver(fed, repeated);
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(60),
    );
  });

  it("gives the same state when records of one log come out of order and late", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, random) => {
        const run = play(steps);
        const keyed = run.records.map((record) => ({ record, at: random.next().value }));
        const fed = newFederation();
        deliver(
          fed,
          keyed.sort((a, b) => a.at - b.at).map(({ record }) => record),
        );
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(60),
    );
  });

  it("gives the same state from the last snapshot and what follows as from everything", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const run = play(steps);
        // Commands outlive their carriers in those who heard them; for who comes later the hub carries them on.
        for (const { payload, value } of inOrder(run).commands())
          run.hub.set("CommandSet", commandKey(payload.id), value);
        for (const source of run.clusters) {
          source.writer("sum").requestSnapshot();
          source.writer("ep").requestSnapshot();
        }
        const tail = [...run.hub.write(), ...run.clusters.flatMap((source) => source.write())];
        for (const source of run.clusters) service(source, "shop", "after");
        tail.push(...run.clusters.flatMap((source) => source.write()));
        const joiner = newFederation();
        deliver(joiner, run.hub.log);
        for (const record of tail) joiner.apply(record, { acceptGap: true });
        const full = newFederation();
        deliver(full, [...run.records, ...tail]);
        expect(joiner.digest()).toBe(full.digest());
        expect(joiner.sourceByCluster("eu")?.degraded).toBe(false);
      }),
      runs(40),
    );
  });

  it("heals with the next snapshot whatever records were lost for ever", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat(2)), (steps, random) => {
        const run = play(steps.filter(isFact));
        for (const source of run.clusters)
          for (const lane of ["sum", "ep"] as const) source.writer(lane).requestSnapshot();
        const tail = run.clusters.flatMap((source) => source.write());
        const fed = newFederation();
        deliver(fed, run.hub.log);
        for (const record of run.records) if (random.next().value > 0) fed.apply(record, { acceptGap: true });
        for (const record of tail) fed.apply(record, { acceptGap: true });
        const full = newFederation();
        deliver(full, [...run.records, ...tail]);
        expect(facts(fed)).toEqual(facts(full));
        // What was lost may still turn up: it is too old to matter.
        for (const record of run.records) fed.apply(record, { acceptGap: true });
        expect(facts(fed)).toEqual(facts(full));
      }),
      runs(40),
    );
  });

  it("survives a dump and restore at any point", () => {
    fc.assert(
      fc.property(history, fc.nat(), (steps, cut) => {
        const run = play(steps);
        const at = cut % (run.records.length + 1);
        const first = newFederation();
        deliver(first, run.records.slice(0, at));
        const dump: unknown = JSON.parse(JSON.stringify(first.dump()));
        const fed = (first.constructor as typeof Federation).restore(dump, first.options)!;
        expect(fed.digest()).toBe(first.digest());
        // Parked records are not in a dump; the agent fetches again what shows as a gap.
        deliver(fed, [...run.records.slice(0, at), ...run.records.slice(at)]);
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(30),
    );
  });

  it("never lets a tombstone rise again, nor a lower epoch win", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, random) => {
        const run = play(steps);
        const fed = inOrder(run);
        const before = facts(fed);
        for (let again = 0; again < 2 * run.records.length; again++)
          fed.apply(run.records[random.next().value % run.records.length]!, { acceptGap: true });
        expect(facts(fed)).toEqual(before);
      }),
      runs(40),
    );
  });

  it("keeps every other source as it was, whatever one member writes", () => {
    fc.assert(
      fc.property(history, history, (steps, evil) => {
        const { hub, clusters, records } = play(steps.filter(isFact));
        const fed = newFederation();
        deliver(fed, records);
        const others = () => [clusters[1]!, clusters[2]!, hub].map((source) => about(fed, source));
        const before = others();
        const attacker = clusters[0]!;
        for (const [time, each] of evil.entries()) attack(attacker, each, time);
        feed(fed, attacker.write());
        expect(others()).toEqual(before);
      }),
      runs(40),
    );
  });

  it("gives no effect to anything outside the grant", () => {
    const addresses = fc.oneof(
      fc.constantFrom(
        "127.0.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "11.0.0.1",
        "::1",
        "fe80::1",
        "x",
        "10.0.0.1 ",
      ),
      fc.ipV4(),
      fc.ipV6(),
      fc.nat(0xffffff).map((low) => `10.${low >> 16}.${(low >> 8) & 255}.${low & 255}`),
    );
    const name = fc.constantFrom("shop", "other", "hansa-system", "kube-system");
    fc.assert(
      fc.property(addresses, name, fc.constantFrom("a", "b", "c"), (address, namespace, zone) => {
        const hub = rigHub();
        const eu = rigCluster("eu", 100);
        const fed = newFederation();
        feed(fed, admit(hub, eu).write());
        const region = "eu-west-1";
        eu.set("GatewaySet", "gateway/g", { address, port: 1, region, ready: true });
        eu.set("EndpointSet", endpointKey(namespace, "s", "e"), {
          address,
          ports: {},
          ready: true,
          region,
          zone,
          weight: 1,
          serviceAccount: "s",
          workload: "s",
        });
        service(eu, namespace, "s");
        feed(fed, eu.write());
        const granted = address.startsWith("10.") && !address.endsWith(" ");
        expect(fed.effective("eu", "gateway/g") !== undefined).toBe(granted);
        const inside = namespace === "shop";
        expect(fed.effective("eu", serviceKey(namespace, "s")) !== undefined).toBe(inside);
        const whole = granted && inside && GRANT.zones.includes(zone);
        expect(fed.effective("eu", endpointKey(namespace, "s", "e")) !== undefined).toBe(whole);
      }),
      runs(200),
    );
  });

  it("accepts none of 10^4 mutated records", () => {
    const { records } = play([
      { do: "service", who: 0, n: 1 },
      { do: "endpoint", who: 0, n: 2 },
      { do: "write", who: 0 },
      { do: "service", who: 1, n: 3 },
    ]);
    const whole = newFederation();
    deliver(whole, records);
    const digest = whole.digest();
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (pick, at, flip, bare) => {
          const record = mutate(records[pick % records.length]!, at, flip);
          const fed = bare ? newFederation() : whole;
          if (bare) deliver(fed, records.slice(0, pick % records.length));
          const before = fed.digest();
          const outcome = fed.apply(record, { acceptGap: true });
          if (outcome.kind === "applied" || fed.digest() !== before) accepted += 1;
        },
      ),
      { numRuns: SOAK ? 10_000 : 1000, ...(SOAK ? {} : { seed: 7 }) },
    );
    expect(accepted).toBe(0);
    expect(whole.digest()).toBe(digest);
  });

  it("is total: no input throws", () => {
    const fed = inOrder(play([{ do: "service", who: 0, n: 1 }]));
    const before = fed.digest();
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), fc.anything(), (input, body) => {
        fed.apply(input as never);
        fed.apply({ record: input, account: body, lane: "sum" } as never);
        fed.apply({ record: { header: input, body }, account: body, lane: "sum" } as never);
        expect(fed.digest()).toBe(before);
      }),
      runs(500),
    );
  });
});

const isFact = ({ do: what }: Step): boolean =>
  ["service", "endpoint", "write", "unservice", "unendpoint"].includes(what);

const about = (fed: Federation, source: RigSource) => ({
  registers: [...fed.registers(source.name)].map((view) => ({
    ...view,
    shown: fed.effect(source.name, view),
  })),
  sum: fed.laneDigest(source.account, "sum"),
  ep: fed.laneDigest(source.account, "ep"),
  member: fed.member(source.name),
  hubKey: fed.hubKey(),
  operators: fed.operators(),
});

/** Everything that a member can write, hub's registers and unsigned commands included. */
function attack(source: RigSource, each: Step, time: number): void {
  if (each.do === "write") return;
  const target = NAMES[1 + (time % 2)] as never;
  if (each.do === "service") service(source, "shop", `s${each.n}`);
  else if (each.do === "endpoint") endpoint(source, "pay", `p${each.n}`);
  else if (each.do === "restart") source.restart();
  else if (each.do === "snapshot") source.writer("sum").requestSnapshot();
  else if (each.do === "drain") admit(source, rigCluster(target, 500 + time));
  else if (each.do === "undrain") source.set("WantSet", wantKey(target), { nonce: String(time) });
  else if (each.do === "evict")
    command(source, { do: "evict", cluster: target, incarnation: 1 }, `e${time}`, [
      rigSigner(11),
      rigSigner(999),
    ]);
  else if (each.do === "rekey") {
    const signingKey = base64(rigSigner(77).publicKey);
    command(source, { do: "rekey", cluster: target, incarnation: 1, signingKey }, `r${time}`, [
      rigSigner(11),
    ]);
  }
}

/** Flips one byte of the body or one field of the header. */
function mutate(record: BusRecord, at: number, flip: number): BusRecord {
  const { header, body } = record.record;
  const fields: ((header: RecordHeader) => RecordHeader)[] = [
    (from) => ({ ...from, seq: from.seq + flip }),
    (from) => ({ ...from, epoch: from.epoch + flip }),
    (from) => ({ ...from, prev: twist(from.prev, at, flip) }),
    (from) => ({ ...from, sig: `${from.sig[0] === "A" ? "B" : "A"}${from.sig.slice(1)}` }),
    (from) => ({ ...from, key: twist(from.key, at, flip) }),
  ];
  const change = fields[flip % (fields.length + 3)];
  if (change !== undefined) return { ...record, record: { header: change(header), body } };
  const bytes = Uint8Array.from(body);
  const place = at % bytes.length;
  bytes[place] = (bytes[place] ?? 0) ^ flip;
  return { ...record, record: { header, body: bytes } };
}

function twist(text: string, at: number, flip: number): string {
  const place = at % text.length;
  const digit = (Number.parseInt(text[place] ?? "0", 16) + 1 + (flip % 15)) % 16;
  return text.slice(0, place) + digit.toString(16) + text.slice(place + 1);
}
