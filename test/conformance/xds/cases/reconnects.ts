/** Rule 14: versions, and what a client that comes back is spared. */
import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert";
import type { Case, World } from "../case.ts";
import type { Response } from "../client.ts";
import { CLUSTER, ENDPOINT, SECRET } from "../resources.ts";

const family = "reconnect versions";

const versionsOf = (...responses: readonly Response[]): Record<string, string> =>
  Object.fromEntries(
    responses.flatMap(({ resources }) => resources.map(({ name, version }) => [name, version])),
  );

/** A stream that had all of `texts` by name, and is gone. */
async function hadByName(
  world: World,
  typeUrl: string,
  texts: readonly string[],
): Promise<Record<string, string>> {
  for (const text of texts) await world.put(typeUrl, text);
  const client = world.client();
  const response = await world.subscribed(client, typeUrl, texts);
  client.close();
  return versionsOf(response);
}

async function hadAll(
  world: World,
  typeUrl: string,
  texts: readonly string[],
): Promise<Record<string, string>> {
  for (const text of texts) await world.put(typeUrl, text);
  const client = world.client();
  const response = await world.subscribed(client, typeUrl, ["*"]);
  client.close();
  return versionsOf(response);
}

export const reconnects: readonly Case[] = [
  {
    id: "14.1",
    family,
    title: "named: what the client brings in the current version is not sent again",
    run: async (world) => {
      const versions = await hadByName(world, ENDPOINT, ["a", "b"]);
      const client = world.client();
      client.send(ENDPOINT, { subscribe: Object.keys(versions), versions });
      await world.silent(client);
    },
  },
  {
    id: "14.2",
    family,
    title: "wildcard: what the client brings in the current version is not sent again",
    run: async (world) => {
      const versions = await hadAll(world, CLUSTER, ["a", "b"]);
      const client = world.client();
      client.send(CLUSTER, { versions });
      await world.silent(client);
    },
  },
  {
    id: "14.3",
    family,
    title: "what changed meanwhile is sent, and nothing else",
    run: async (world) => {
      const versions = await hadByName(world, ENDPOINT, ["a", "b"]);
      await world.put(ENDPOINT, "b", 2);
      const client = world.client();
      client.send(ENDPOINT, { subscribe: Object.keys(versions), versions });
      world.expect(await client.next(ENDPOINT), { b: 2 });
    },
  },
  {
    id: "14.4",
    family,
    title: "wildcard: what was removed meanwhile is named in removed_resources",
    run: async (world) => {
      const versions = await hadAll(world, CLUSTER, ["a", "b"]);
      await world.remove(CLUSTER, "a");
      const client = world.client();
      client.send(CLUSTER, { versions });
      world.expect(await client.next(CLUSTER), {}, ["a"]);
    },
  },
  {
    id: "14.5",
    family,
    title: "named: what was removed meanwhile is named in removed_resources",
    run: async (world) => {
      const versions = await hadByName(world, SECRET, ["a", "b"]);
      await world.remove(SECRET, "a");
      const client = world.client();
      client.send(SECRET, { subscribe: Object.keys(versions), versions });
      world.expect(await client.next(SECRET), {}, ["a"]);
    },
  },
  {
    id: "14.6",
    family,
    title: "wildcard: what is new is sent",
    run: async (world) => {
      const versions = await hadAll(world, CLUSTER, ["a"]);
      await world.put(CLUSTER, "b");
      const client = world.client();
      client.send(CLUSTER, { versions });
      world.expect(await client.next(CLUSTER), { b: 1 });
    },
  },
  {
    id: "14.7",
    family,
    title: "after a reconnect changes arrive as before",
    run: async (world) => {
      const versions = await hadByName(world, ENDPOINT, ["a"]);
      const client = world.client();
      client.send(ENDPOINT, { subscribe: Object.keys(versions), versions });
      await world.silent(client);
      await world.put(ENDPOINT, "a", 2);
      world.expect(await client.next(ENDPOINT), { a: 2 });
    },
  },
  {
    id: "14.8",
    family,
    title: "a version that the client brings and that never was is replaced",
    run: async (world) => {
      const name = await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [name], versions: { [name]: "never was" } });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "14.9",
    family,
    title: "versions of names that are not asked for mean nothing",
    run: async (world) => {
      const name = await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [name], versions: { [world.name("other")]: "1" } });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "14.10",
    family,
    title: "versions count in the first request of a type only",
    run: async (world) => {
      const name = await world.put(ENDPOINT, "a");
      const client = world.client();
      const { resources } = await world.subscribed(client, ENDPOINT, ["a"]);
      client.send(ENDPOINT, { subscribe: [name], versions: { [name]: resources[0]?.version ?? "" } });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "14.11",
    family,
    title: "every resource has a version, the same on every stream, another for another content",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const [one, two] = [world.client(), world.client()];
      const first = await world.subscribed(one, CLUSTER, ["a"]);
      const version = first.resources[0]?.version ?? "";
      notStrictEqual(version, "");
      strictEqual((await world.subscribed(two, CLUSTER, ["a"])).resources[0]?.version, version);
      await world.put(CLUSTER, "a", 2);
      notStrictEqual((await one.next(CLUSTER)).resources[0]?.version, version);
    },
  },
  {
    id: "14.12",
    family,
    title: "the same content put again is no change",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["a"]);
      await world.put(CLUSTER, "a");
      await world.silent(client);
    },
  },
  {
    id: "14.13",
    family,
    beyond: true,
    title: "versions derive from content: an old content has its old version",
    run: async (world) => {
      await world.put(CLUSTER, "a", 1);
      const client = world.client();
      const seen = [await world.subscribed(client, CLUSTER, ["a"])];
      for (const v of [2, 1]) {
        await world.put(CLUSTER, "a", v);
        const response = await client.next(CLUSTER);
        client.ack(response);
        seen.push(response);
      }
      const [first, second, third] = seen.map(({ resources }) => resources[0]?.version);
      strictEqual(third, first);
      ok(second !== first);
    },
  },
  {
    id: "14.14",
    family,
    title: "a client that brings the versions of a thousand resources gets none of them",
    run: async (world) => {
      const texts = Array.from({ length: 1000 }, (_, index) => `e${index}`);
      await world.batch(texts.map((text) => [ENDPOINT, text, 1] as const));
      const before = world.client();
      const versions: Record<string, string> = {};
      before.send(ENDPOINT, { subscribe: texts.map((text) => world.name(text)) });
      while (Object.keys(versions).length < texts.length) {
        const response = await before.next(ENDPOINT);
        Object.assign(versions, versionsOf(response));
        before.ack(response);
      }
      const client = world.client();
      client.send(ENDPOINT, { subscribe: Object.keys(versions), versions });
      deepStrictEqual(await client.quiet(), []);
    },
  },
];
