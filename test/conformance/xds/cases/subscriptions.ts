/** Rules 7, 8, 12 and 13: wildcard and names. */
import { deepStrictEqual, ok } from "node:assert";
import type { Case } from "../case.ts";
import { CLUSTER, ENDPOINT, EXTENSION, LISTENER, SECRET } from "../resources.ts";

const wildcard = "wildcard";
const named = "subscribe and unsubscribe";

export const subscriptions: readonly Case[] = [
  {
    id: "7.1",
    family: wildcard,
    title: "an explicit * gives everything of the type",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(CLUSTER, "b", 2);
      world.expect(await world.subscribed(world.client(), CLUSTER, ["*"]), { a: 1, b: 2 });
    },
  },
  {
    id: "7.2",
    family: wildcard,
    title: "a first request without names is the legacy wildcard",
    run: async (world) => {
      await world.put(LISTENER, "a");
      const client = world.client();
      client.send(LISTENER);
      world.expect(await client.next(LISTENER), { a: 1 });
    },
  },
  {
    id: "7.3",
    family: wildcard,
    title: "a wildcard is answered even if there is nothing of the type",
    run: async (world) => {
      const client = world.client();
      client.send(EXTENSION, { subscribe: ["*"] });
      world.expect(await client.next(EXTENSION), {});
    },
  },
  {
    id: "7.4",
    family: wildcard,
    title: "legacy wildcard, plus A, minus *, minus A leaves nothing",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(CLUSTER, "b");
      const client = world.client();
      client.send(CLUSTER);
      const all = await client.next(CLUSTER);
      world.expect(all, { a: 1, b: 1 });
      client.ack(all);
      await world.subscribed(client, CLUSTER, ["a"]);
      await world.put(CLUSTER, "b", 2);
      const stillAll = await client.next(CLUSTER);
      world.expect(stillAll, { b: 2 });
      client.ack(stillAll, { unsubscribe: ["*"] });
      await world.put(CLUSTER, "b", 3);
      await world.silent(client);
      await world.put(CLUSTER, "a", 2);
      const onlyA = await client.next(CLUSTER);
      world.expect(onlyA, { a: 2 });
      client.ack(onlyA, { unsubscribe: [world.name("a")] });
      await world.put(CLUSTER, "a", 3);
      await world.put(CLUSTER, "b", 4);
      await world.silent(client);
    },
  },
  {
    id: "7.5",
    family: wildcard,
    title: "explicit A, minus A, then an empty request is no wildcard",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["a"]);
      client.send(CLUSTER, { unsubscribe: [world.name("a")] });
      client.send(CLUSTER);
      await world.put(CLUSTER, "a", 2);
      await world.silent(client);
    },
  },
  {
    id: "7.6",
    family: wildcard,
    title: "a named subscription does not turn into a wildcard by an empty request",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(CLUSTER, "b");
      const client = world.client();
      world.expect(await world.subscribed(client, CLUSTER, ["a"]), { a: 1 });
      client.send(CLUSTER);
      await world.put(CLUSTER, "b", 2);
      await world.silent(client);
    },
  },
  {
    id: "7.7",
    family: wildcard,
    title: "a new resource is sent to a wildcard",
    run: async (world) => {
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      await world.put(CLUSTER, "a");
      world.expect(await client.next(CLUSTER), { a: 1 });
    },
  },
  {
    id: "7.8",
    family: wildcard,
    title: "* and a missing name in one request: everything, and the name is told to be missing",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      client.send(CLUSTER, { subscribe: ["*", world.name("nowhere")] });
      world.expect(await client.next(CLUSTER), { a: 1 }, ["nowhere"]);
    },
  },
  {
    id: "7.9",
    family: wildcard,
    title: "* again after it was given up gives everything again",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      client.send(CLUSTER, { unsubscribe: ["*"] });
      world.expect(await world.subscribed(client, CLUSTER, ["*"]), { a: 1 });
      await world.put(CLUSTER, "a", 2);
      world.expect(await client.next(CLUSTER), { a: 2 });
    },
  },
  {
    id: "7.10",
    family: wildcard,
    title: "a wildcard of one type is none of another",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      client.send(ENDPOINT, { subscribe: [world.name("other")] });
      world.expect(await client.next(ENDPOINT), {}, ["other"]);
    },
  },
  {
    id: "8.1",
    family: wildcard,
    title: "a change sends the changed resource only",
    run: async (world) => {
      for (const text of ["a", "b", "c"]) await world.put(CLUSTER, text);
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      await world.put(CLUSTER, "b", 2);
      const response = await client.next(CLUSTER);
      world.expect(response, { b: 2 });
      deepStrictEqual(response.resources.length, 1);
    },
  },
  {
    id: "8.2",
    family: named,
    title: "a change of what is not subscribed is not sent",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "b", 2);
      await world.silent(client);
    },
  },
  {
    id: "8.3",
    family: named,
    title: "a further name gives that resource only",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      world.expect(await world.subscribed(client, ENDPOINT, ["b"]), { b: 1 });
    },
  },
  {
    id: "12.1",
    family: named,
    title: "a subscribed name that is asked for again is sent again",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      const first = await world.subscribed(client, ENDPOINT, ["a"]);
      const second = await world.subscribed(client, ENDPOINT, ["a"]);
      world.expect(second, { a: 1 });
      deepStrictEqual(second.resources[0]?.version, first.resources[0]?.version);
    },
  },
  {
    id: "12.2",
    family: named,
    title: "a name is sent when it is asked for after it was given up",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      client.send(ENDPOINT, { unsubscribe: [world.name("a")] });
      world.expect(await world.subscribed(client, ENDPOINT, ["a"]), { a: 1 });
    },
  },
  {
    id: "12.3",
    family: named,
    title: "a name that is asked for again in the ACK is sent again",
    run: async (world) => {
      await world.put(SECRET, "a");
      const client = world.client();
      client.send(SECRET, { subscribe: [world.name("a")] });
      client.ack(await client.next(SECRET), { subscribe: [world.name("a")] });
      world.expect(await client.next(SECRET), { a: 1 });
    },
  },
  {
    id: "12.4",
    family: named,
    title: "a missing name that is asked for again is told again",
    run: async (world) => {
      const client = world.client();
      world.expect(await world.subscribed(client, ENDPOINT, ["x"]), {}, ["x"]);
      world.expect(await world.subscribed(client, ENDPOINT, ["x"]), {}, ["x"]);
    },
  },
  {
    id: "12.5",
    family: named,
    title: "one name of several that is asked for again comes alone",
    run: async (world) => {
      for (const text of ["a", "b", "c"]) await world.put(ENDPOINT, text);
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b", "c"]);
      world.expect(await world.subscribed(client, ENDPOINT, ["b"]), { b: 1 });
    },
  },
  {
    id: "12.6",
    family: named,
    title: "a name that is asked for again before the ACK of its last version is sent again",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [world.name("a")] });
      await client.next(ENDPOINT);
      client.send(ENDPOINT, { subscribe: [world.name("a")] });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "13.1",
    family: named,
    title: "giving up a name is not answered",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      client.send(ENDPOINT, { unsubscribe: [world.name("a")] });
      await world.silent(client);
      await world.put(ENDPOINT, "a", 2);
      await world.silent(client);
    },
  },
  {
    id: "13.2",
    family: named,
    title: "giving up a name that was never asked for is ignored in silence",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      client.send(ENDPOINT, { unsubscribe: [world.name("phantom")] });
      await world.silent(client);
      await world.put(ENDPOINT, "a", 2);
      world.expect(await client.next(ENDPOINT), { a: 2 });
    },
  },
  {
    id: "13.3",
    family: wildcard,
    title: "giving up a name that the wildcard still covers is answered with the resource",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*", "a"]);
      client.send(CLUSTER, { unsubscribe: [world.name("a")] });
      world.expect(await client.next(CLUSTER), { a: 1 });
    },
  },
  {
    id: "13.4",
    family: wildcard,
    title: "giving up a missing name under a wildcard is answered with removed_resources",
    run: async (world) => {
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*", "x"]);
      await client.quiet();
      client.send(CLUSTER, { unsubscribe: [world.name("x")] });
      world.expect(await client.next(CLUSTER), {}, ["x"]);
    },
  },
  {
    id: "13.5",
    family: named,
    title: "giving up one name keeps the others",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b"]);
      client.send(ENDPOINT, { unsubscribe: [world.name("a")] });
      await world.batch([
        [ENDPOINT, "a", 2],
        [ENDPOINT, "b", 2],
      ]);
      const response = await client.next(ENDPOINT);
      world.expect(response, { b: 2 });
      ok(response.resources.length === 1);
    },
  },
];
