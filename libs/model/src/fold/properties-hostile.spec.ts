/** What no member and no input can do to the fold (design §3, §8 "any one cluster hostile"). */
import { base64 } from "@hansa/core";
import { type BusRecord, endpointKey, type RecordHeader, serviceKey, wantKey } from "@hansa/events";
import { rigSigner } from "@hansa/events/rig";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Federation } from "./federation.ts";
import { deliver, history, inOrder, runs, SOAK } from "./properties.fixture.ts";
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
import { NAMES, play, type Step } from "./rig-history.ts";

vi.setConfig({ testTimeout: 300_000 });

describe("the fold", () => {
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
