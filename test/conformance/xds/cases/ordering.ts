/** Rules 15 and 16: make before break, warming. */
import { deepStrictEqual, strictEqual } from "node:assert";
import type { Case, World } from "../case.ts";
import type { AdsClient, Response } from "../client.ts";
import { CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET } from "../resources.ts";

const order = "make before break";
const warming = "warming";

/** As Envoy: wildcard clusters and listeners, endpoints and routes by name. Everything acknowledged. */
async function likeEnvoy(world: World, texts: readonly string[] = ["a"]): Promise<AdsClient> {
  for (const text of texts) {
    await world.put(CLUSTER, text);
    await world.put(ENDPOINT, text);
  }
  await world.put(LISTENER, "l");
  await world.put(ROUTE, "r");
  const client = world.client();
  await world.subscribed(client, CLUSTER, ["*"]);
  await world.subscribed(client, ENDPOINT, texts);
  await world.subscribed(client, LISTENER, ["*"]);
  await world.subscribed(client, ROUTE, ["r"]);
  return client;
}

const inOrder = (responses: readonly Response[]): string[] => responses.map(({ typeUrl }) => typeUrl);

export const ordering: readonly Case[] = [
  {
    id: "15.1",
    family: order,
    title: "changes of one moment travel CDS, EDS, LDS, RDS",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.batch([
        [CLUSTER, "a", 2],
        [ENDPOINT, "a", 2],
        [LISTENER, "l", 2],
        [ROUTE, "r", 2],
      ]);
      const arrived: string[] = [];
      while (arrived.length < 4) {
        const response = await client.next();
        if (Object.values(world.own(response).resources).includes(2)) arrived.push(response.typeUrl);
        client.ack(response);
      }
      deepStrictEqual(arrived, [CLUSTER, ENDPOINT, LISTENER, ROUTE]);
    },
  },
  {
    id: "15.2",
    family: order,
    beyond: true,
    title: "a route does not overtake a cluster that waits for an ACK",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.put(CLUSTER, "first");
      const pushed = await client.next(CLUSTER);
      await world.batch([
        [CLUSTER, "second", 1],
        [ROUTE, "r", 2],
      ]);
      await world.silent(client);
      client.ack(pushed);
      deepStrictEqual(inOrder([await client.next(), await client.next()]), [CLUSTER, ROUTE]);
    },
  },
  {
    id: "15.3",
    family: order,
    beyond: true,
    title: "a cluster goes after the route that left it was acknowledged",
    run: async (world) => {
      const client = await likeEnvoy(world, ["old", "new"]);
      await world.batch([
        [ROUTE, "r", 2],
        [CLUSTER, "old", null],
      ]);
      const routes = await client.next();
      strictEqual(routes.typeUrl, ROUTE);
      await world.silent(client);
      client.ack(routes);
      world.expect(await client.next(CLUSTER), {}, ["old"]);
    },
  },
  {
    id: "15.4",
    family: order,
    beyond: true,
    title: "one moment adds a cluster, moves a route to it and removes the old one: added, moved, removed",
    run: async (world) => {
      const client = await likeEnvoy(world, ["old"]);
      await world.batch([
        [CLUSTER, "new", 1],
        [ENDPOINT, "new", 1],
        [ROUTE, "r", 2],
        [CLUSTER, "old", null],
        [ENDPOINT, "old", null],
      ]);
      const added = await client.next();
      world.expect(added, { new: 1 });
      strictEqual(added.typeUrl, CLUSTER);
      client.ack(added);
      client.send(ENDPOINT, { subscribe: [world.name("new")] });
      const endpoints = await client.next();
      strictEqual(endpoints.typeUrl, ENDPOINT);
      world.expect(endpoints, { new: 1 });
      client.ack(endpoints);
      const moved = await client.next();
      strictEqual(moved.typeUrl, ROUTE);
      client.ack(moved);
      const removed = await client.next();
      strictEqual(removed.typeUrl, CLUSTER);
      world.expect(removed, {}, ["old"]);
    },
  },
  {
    id: "15.5",
    family: order,
    title: "a secret does not wait for the ACK of another type",
    run: async (world) => {
      await world.put(SECRET, "s");
      const client = await likeEnvoy(world);
      await world.subscribed(client, SECRET, ["s"]);
      await world.put(CLUSTER, "a", 2);
      await client.next(CLUSTER);
      await world.put(SECRET, "s", 2);
      world.expect(await client.next(SECRET), { s: 2 });
    },
  },
  {
    id: "15.6",
    family: order,
    title: "endpoints of one cluster do not wait for the ACK of clusters",
    run: async (world) => {
      const client = await likeEnvoy(world, ["a", "b"]);
      await world.put(CLUSTER, "a", 2);
      await client.next(CLUSTER);
      client.ack(await client.next(ENDPOINT));
      await world.put(ENDPOINT, "b", 2);
      world.expect(await client.next(ENDPOINT), { b: 2 });
    },
  },
  {
    id: "16.1",
    family: warming,
    title: "after a changed cluster its load assignment comes again, unchanged as it is",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.put(CLUSTER, "a", 2);
      world.expect(await client.next(CLUSTER), { a: 2 });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "16.2",
    family: warming,
    title: "and that of no other cluster",
    run: async (world) => {
      const client = await likeEnvoy(world, ["a", "b", "c"]);
      await world.put(CLUSTER, "b", 2);
      client.ack(await client.next(CLUSTER));
      const response = await client.next(ENDPOINT);
      world.expect(response, { b: 1 });
      client.ack(response);
      await world.silent(client);
    },
  },
  {
    id: "16.3",
    family: warming,
    title: "a new cluster without endpoints does not leave the client waiting",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.put(CLUSTER, "empty");
      client.ack(await client.next(CLUSTER));
      client.send(ENDPOINT, { subscribe: [world.name("empty")] });
      world.expect(await client.next(ENDPOINT, 1000), {}, ["empty"]);
    },
  },
  {
    id: "16.4",
    family: warming,
    title: "a changed cluster whose load assignment is missing is told so again",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.put(CLUSTER, "empty");
      client.ack(await client.next(CLUSTER));
      world.expect(await world.subscribed(client, ENDPOINT, ["empty"]), {}, ["empty"]);
      await world.put(CLUSTER, "empty", 2);
      client.ack(await client.next(CLUSTER));
      world.expect(await client.next(ENDPOINT), {}, ["empty"]);
    },
  },
  {
    id: "16.5",
    family: warming,
    beyond: true,
    title: "a route waits until the client has the endpoints of the new cluster",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.batch([
        [CLUSTER, "new", 1],
        [ENDPOINT, "new", 1],
        [ROUTE, "r", 2],
      ]);
      const clusters = await client.next();
      world.expect(clusters, { new: 1 });
      client.ack(clusters);
      client.send(ENDPOINT, { subscribe: [world.name("new")] });
      deepStrictEqual(inOrder([await client.next(), await client.next()]), [ENDPOINT, ROUTE]);
    },
  },
  {
    id: "16.6",
    family: warming,
    title: "a client that never asks for the endpoints of a new cluster gets its routes all the same",
    run: async (world) => {
      const client = await likeEnvoy(world);
      await world.batch([
        [CLUSTER, "new", 1],
        [ENDPOINT, "new", 1],
        [ROUTE, "r", 2],
      ]);
      client.ack(await client.next(CLUSTER));
      world.expect(await client.next(ROUTE), { r: 2 });
    },
  },
];
