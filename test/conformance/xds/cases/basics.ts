/** Rules 1–3, 9, 17–19: what every request and response must be. */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { Case } from "../case.ts";
import { CLUSTER, ENDPOINT, EXTENSION, innerName, LISTENER, ROUTE, SECRET } from "../resources.ts";

const family = "request basics";

const byName = (id: string, typeUrl: string, what: string): Case => ({
  id,
  family: typeUrl === SECRET || typeUrl === EXTENSION ? "SDS and ECDS" : family,
  title: `${what} is served by name on the aggregated stream`,
  run: async (world) => {
    const full = await world.put(typeUrl, "a", 7);
    const client = world.client();
    const response = await world.subscribed(client, typeUrl, ["a"]);
    world.expect(response, { a: 7 });
    strictEqual(response.resources[0]?.name, full);
    strictEqual(response.resources[0] && innerName(response.resources[0]), full);
    await world.put(typeUrl, "a", 8);
    world.expect(await client.next(typeUrl), { a: 8 });
  },
});

export const basics: readonly Case[] = [
  byName("1.1", CLUSTER, "a Cluster"),
  byName("1.2", ENDPOINT, "a ClusterLoadAssignment"),
  byName("1.3", LISTENER, "a Listener"),
  byName("1.4", ROUTE, "a RouteConfiguration"),
  byName("1.5", SECRET, "a Secret"),
  byName("1.6", EXTENSION, "a TypedExtensionConfig"),
  {
    id: "1.7",
    family,
    title: "two streams at once have subscriptions of their own",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const [one, two] = [world.client(), world.client()];
      world.expect(await world.subscribed(one, ENDPOINT, ["a"]), { a: 1 });
      world.expect(await world.subscribed(two, ENDPOINT, ["b"]), { b: 1 });
      await world.put(ENDPOINT, "a", 2);
      world.expect(await one.next(ENDPOINT), { a: 2 });
      await world.silent(two);
    },
  },
  {
    id: "1.8",
    family,
    title: "types on one stream do not disturb each other",
    run: async (world) => {
      for (const typeUrl of [CLUSTER, ENDPOINT, SECRET]) await world.put(typeUrl, "a");
      const client = world.client();
      for (const typeUrl of [CLUSTER, ENDPOINT, SECRET])
        world.expect(await world.subscribed(client, typeUrl, ["a"]), { a: 1 });
      client.send(ENDPOINT, { unsubscribe: [world.name("a")] });
      await world.put(SECRET, "a", 2);
      world.expect(await client.next(), { a: 2 });
    },
  },
  {
    id: "2.1",
    family,
    title: "only the first request names the node",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["a"]);
      client.send(ENDPOINT, { subscribe: [world.name("a")], nodeId: null });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "2.2",
    family,
    title: "a node that is named again is accepted",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["b"]);
      client.send(ENDPOINT, { subscribe: [world.name("a")], nodeId: world.target.nodeId });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "3.1",
    family: "malformed input",
    title: "a request without type_url ends the stream with INVALID_ARGUMENT",
    run: async (world) => {
      const client = world.client();
      client.send("", { subscribe: ["x"] });
      strictEqual((await client.endOfStream()).code, 3);
    },
  },
  {
    id: "3.2",
    family,
    title: "response and resource carry the type that was asked for",
    run: async (world) => {
      await world.put(SECRET, "a");
      const response = await world.subscribed(world.client(), SECRET, ["a"]);
      strictEqual(response.typeUrl, SECRET);
      strictEqual(response.resources[0]?.typeUrl, SECRET);
    },
  },
  {
    id: "3.3",
    family: "malformed input",
    title: "an unknown type does not stop the others",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send("type.googleapis.com/envoy.service.runtime.v3.Runtime", { subscribe: [world.name("rt")] });
      client.send(ENDPOINT, { subscribe: [world.name("a")] });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "3.4",
    family: "malformed input",
    beyond: true,
    title: "a name of an unknown type is told to be missing, so that nobody waits for it",
    run: async (world) => {
      const client = world.client();
      const unknown = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
      client.send(unknown, { subscribe: [world.name("rt")] });
      world.expect(await client.next(unknown), {}, ["rt"]);
    },
  },
  {
    id: "9.1",
    family,
    title: "a name that is asked for twice in one request comes once",
    run: async (world) => {
      const name = await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [name, name] });
      const response = await client.next(ENDPOINT);
      deepStrictEqual(
        response.resources.map((one) => one.name),
        [name],
      );
    },
  },
  {
    id: "9.2",
    family,
    title: "a name that the wildcard covers too comes once",
    run: async (world) => {
      const name = await world.put(CLUSTER, "a");
      const client = world.client();
      client.send(CLUSTER, { subscribe: ["*", name] });
      const response = await client.next(CLUSTER);
      strictEqual(response.resources.filter((one) => one.name === name).length, 1);
      await world.put(CLUSTER, "a", 2);
      client.ack(response);
      const changed = await client.next(CLUSTER);
      strictEqual(changed.resources.length, 1);
    },
  },
  {
    id: "9.3",
    family,
    title: "no response under a burst of changes has a name twice",
    run: async (world) => {
      await world.put(ENDPOINT, "a", 1);
      await world.put(ENDPOINT, "b", 1);
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b"]);
      for (let v = 2; v < 30; v += 1) await world.put(ENDPOINT, v % 2 === 0 ? "a" : "b", v);
      for (let latest = 0; latest < 29; ) {
        const response = await client.next(ENDPOINT);
        const names = [...response.resources.map((one) => one.name), ...response.removed];
        strictEqual(new Set(names).size, names.length);
        latest = Math.max(...Object.values(world.own(response).resources));
        client.ack(response);
      }
    },
  },
  {
    id: "17.1",
    family,
    title: "a client that did not announce TTL support gets none, and no heartbeats",
    run: async (world) => {
      await world.put(SECRET, "a");
      const client = world.client();
      const response = await world.subscribed(client, SECRET, ["a"]);
      ok(response.resources.every(({ hasTtl }) => !hasTtl));
      await world.silent(client);
    },
  },
  {
    id: "18.1",
    family,
    title: "a resource that was asked for by name has that name, and no alias instead of it",
    run: async (world) => {
      const name = await world.put(ROUTE, "route/with:odd~chars");
      const response = await world.subscribed(world.client(), ROUTE, ["route/with:odd~chars"]);
      strictEqual(response.resources[0]?.name, name);
      deepStrictEqual(response.resources[0]?.aliases, []);
    },
  },
  {
    id: "19.1",
    family,
    title: "a cluster asked for on demand gives that cluster, not all of them",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(CLUSTER, "b");
      const response = await world.subscribed(world.client(), CLUSTER, ["a"]);
      strictEqual(response.resources.length, 1);
      world.expect(response, { a: 1 });
    },
  },
  {
    id: "19.2",
    family,
    title: "an unknown cluster asked for on demand is told to be missing at once",
    run: async (world) => {
      const client = world.client();
      client.send(CLUSTER, { subscribe: [world.name("nowhere")] });
      world.expect(await client.next(CLUSTER, 1000), {}, ["nowhere"]);
    },
  },
];
