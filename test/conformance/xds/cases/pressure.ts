/** Rule 21: one response in flight, everything behind it coalesced. */
import { ok, strictEqual } from "node:assert";
import type { Case } from "../case.ts";
import { ENDPOINT, SECRET } from "../resources.ts";

const pressure = "back-pressure";

export const backPressure: readonly Case[] = [
  {
    id: "21.1",
    family: pressure,
    title: "no second push of a type before the first is answered, then the newest state",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "a", 2);
      const pushed = await client.next(ENDPOINT);
      await world.put(ENDPOINT, "a", 3);
      await world.put(ENDPOINT, "a", 4);
      await world.silent(client);
      client.ack(pushed);
      world.expect(await client.next(ENDPOINT), { a: 4 });
      await world.silent(client);
    },
  },
  {
    id: "21.2",
    family: pressure,
    title: "fifty changes of several resources behind one ACK are one response",
    run: async (world) => {
      for (const text of ["a", "b", "c"]) await world.put(ENDPOINT, text);
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b", "c"]);
      await world.put(ENDPOINT, "a", 2);
      const pushed = await client.next(ENDPOINT);
      for (let v = 3; v < 53; v += 1) await world.put(ENDPOINT, ["a", "b", "c"][v % 3] as string, v);
      client.ack(pushed);
      world.expect(await client.next(ENDPOINT), { a: 51, b: 52, c: 50 });
      await world.silent(client);
    },
  },
  {
    id: "21.3",
    family: pressure,
    title: "a NACK opens the gate as an ACK does",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "a", 2);
      const pushed = await client.next(ENDPOINT);
      await world.put(ENDPOINT, "a", 3);
      client.nack(pushed);
      world.expect(await client.next(ENDPOINT), { a: 3 });
    },
  },
  {
    id: "21.4",
    family: pressure,
    title: "a stale ACK does not open the gate",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      const first = await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "a", 2);
      const pushed = await client.next(ENDPOINT);
      await world.put(ENDPOINT, "a", 3);
      client.ack(first);
      await world.silent(client);
      client.ack(pushed);
      world.expect(await client.next(ENDPOINT), { a: 3 });
    },
  },
  {
    id: "21.5",
    family: pressure,
    title: "one type that is not acknowledged does not hold back another",
    run: async (world) => {
      await world.put(SECRET, "s");
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, SECRET, ["s"]);
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(SECRET, "s", 2);
      await client.next(SECRET);
      await world.put(ENDPOINT, "a", 2);
      world.expect(await client.next(ENDPOINT), { a: 2 });
    },
  },
  {
    id: "21.6",
    family: pressure,
    title: "a client that never answers does not hold back another",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const [slow, quick] = [world.client(), world.client()];
      await world.subscribed(slow, ENDPOINT, ["a"]);
      await world.subscribed(quick, ENDPOINT, ["a"]);
      for (let v = 2; v < 12; v += 1) {
        await world.put(ENDPOINT, "a", v);
        const response = await quick.next(ENDPOINT);
        world.expect(response, { a: v });
        quick.ack(response);
      }
      const unanswered = (await slow.quiet()).filter(({ typeUrl }) => typeUrl === ENDPOINT);
      strictEqual(unanswered.length, 1);
    },
  },
  {
    id: "21.7",
    family: pressure,
    title: "removed and put again behind one ACK: the resource comes, no removal",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b"]);
      await world.put(ENDPOINT, "b", 2);
      const pushed = await client.next(ENDPOINT);
      await world.remove(ENDPOINT, "a");
      await world.put(ENDPOINT, "a", 3);
      client.ack(pushed);
      world.expect(await client.next(ENDPOINT), { a: 3 });
    },
  },
  {
    id: "21.8",
    family: pressure,
    title: "changed and removed behind one ACK: only the removal comes",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b"]);
      await world.put(ENDPOINT, "b", 2);
      const pushed = await client.next(ENDPOINT);
      await world.put(ENDPOINT, "a", 2);
      await world.remove(ENDPOINT, "a");
      client.ack(pushed);
      world.expect(await client.next(ENDPOINT), {}, ["a"]);
    },
  },
  {
    id: "21.9",
    family: pressure,
    title: "without anything in flight a change is sent at once",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      const tookMs: number[] = [];
      for (let v = 2; v < 12; v += 1) {
        const startMs = performance.now();
        await world.put(ENDPOINT, "a", v);
        const response = await client.next(ENDPOINT);
        tookMs.push(performance.now() - startMs);
        client.ack(response);
      }
      const median = tookMs.sort((a, b) => a - b)[5] as number;
      ok(median < 90, `the median change took ${median.toFixed(1)} ms from PUT to response`);
    },
  },
];
