/** Rules 10 and 11: who is told what is not there. */
import { deepStrictEqual } from "node:assert";
import type { Case } from "../case.ts";
import { CLUSTER, ENDPOINT, EXTENSION, ROUTE, SECRET } from "../resources.ts";

const missing = "missing and removed";

const missingOf = (id: string, typeUrl: string, what: string): Case => ({
  id,
  family: missing,
  title: `a missing ${what} is told to be missing at once, and sent when it appears`,
  run: async (world) => {
    const client = world.client();
    client.send(typeUrl, { subscribe: [world.name("late")] });
    const told = await client.next(typeUrl, 1000);
    world.expect(told, {}, ["late"]);
    client.ack(told);
    await world.put(typeUrl, "late", 4);
    world.expect(await client.next(typeUrl), { late: 4 });
  },
});

export const missingAndRemoved: readonly Case[] = [
  {
    id: "10.1",
    family: missing,
    title: "a removed resource is named in removed_resources of a wildcard",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      await world.remove(CLUSTER, "a");
      world.expect(await client.next(CLUSTER), {}, ["a"]);
    },
  },
  {
    id: "10.2",
    family: missing,
    title: "a removed resource is named in removed_resources of a named subscription",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.remove(ENDPOINT, "a");
      world.expect(await client.next(ENDPOINT), {}, ["a"]);
    },
  },
  {
    id: "10.3",
    family: missing,
    title: "a removal is told once",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(CLUSTER, "b");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["*"]);
      await world.remove(CLUSTER, "a");
      client.ack(await client.next(CLUSTER));
      await world.put(CLUSTER, "b", 2);
      world.expect(await client.next(CLUSTER), { b: 2 });
    },
  },
  {
    id: "10.4",
    family: missing,
    title: "a resource that comes back is sent, with the same content too",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      await world.remove(ENDPOINT, "a");
      client.ack(await client.next(ENDPOINT));
      await world.put(ENDPOINT, "a");
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  missingOf("11.1", ENDPOINT, "ClusterLoadAssignment"),
  missingOf("11.2", ROUTE, "RouteConfiguration"),
  missingOf("11.3", SECRET, "Secret"),
  missingOf("11.4", EXTENSION, "TypedExtensionConfig"),
  {
    id: "11.5",
    family: missing,
    title: "existing and missing names of one request are all answered",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      const told = new Set<string>();
      client.send(ENDPOINT, { subscribe: ["a", "x", "y"].map((text) => world.name(text)) });
      while (told.size < 3) {
        const response = await client.next(ENDPOINT);
        const { resources, removed } = world.own(response);
        for (const text of Object.keys(resources)) told.add(`has ${text}`);
        for (const text of removed) told.add(`no ${text}`);
        client.ack(response);
      }
      deepStrictEqual([...told].sort(), ["has a", "no x", "no y"]);
    },
  },
  {
    id: "11.6",
    family: missing,
    title: "a missing name that was given up is not sent when it appears",
    run: async (world) => {
      const client = world.client();
      const told = await world.subscribed(client, ENDPOINT, ["late"]);
      world.expect(told, {}, ["late"]);
      client.send(ENDPOINT, { unsubscribe: [world.name("late")] });
      await world.put(ENDPOINT, "late");
      await world.silent(client);
    },
  },
];
