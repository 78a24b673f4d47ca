/** Rules 4 and 5: ACK, NACK and nonces. */
import { ok, strictEqual } from "node:assert";
import type { Case } from "../case.ts";
import { CLUSTER, ENDPOINT, LISTENER } from "../resources.ts";

const family = "ACK and NACK";
const nonceFamily = "nonce";

export const acks: readonly Case[] = [
  {
    id: "4.1",
    family,
    title: "an ACK is not answered",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["a"]);
      await world.silent(client);
    },
  },
  {
    id: "4.2",
    family,
    title: "a refused version is not sent again by itself",
    run: async (world) => {
      await world.put(LISTENER, "a");
      const client = world.client();
      await world.subscribed(client, LISTENER, ["a"]);
      await world.put(LISTENER, "a", 2);
      client.nack(await client.next(LISTENER));
      await client.quiet(500);
      await world.silent(client);
    },
  },
  {
    id: "4.3",
    family,
    title: "the next version after a NACK is sent at once",
    run: async (world) => {
      await world.put(LISTENER, "a");
      const client = world.client();
      await world.subscribed(client, LISTENER, ["a"]);
      await world.put(LISTENER, "a", 2);
      client.nack(await client.next(LISTENER));
      await world.put(LISTENER, "a", 3);
      world.expect(await client.next(LISTENER), { a: 3 });
    },
  },
  {
    id: "4.4",
    family,
    title: "a NACK does not stop changes of other resources of the type",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b"]);
      await world.put(ENDPOINT, "a", 2);
      client.nack(await client.next(ENDPOINT));
      await world.put(ENDPOINT, "b", 3);
      world.expect(await client.next(ENDPOINT), { b: 3 });
    },
  },
  {
    id: "4.5",
    family,
    title: "a NACK does not stop other types",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      await world.put(ENDPOINT, "e");
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["e"]);
      client.send(CLUSTER, { subscribe: [world.name("a")] });
      client.nack(await client.next(CLUSTER));
      await world.put(ENDPOINT, "e", 2);
      world.expect(await client.next(ENDPOINT), { e: 2 });
    },
  },
  {
    id: "4.6",
    family,
    title: "other streams get the version that one refused",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const [one, two] = [world.client(), world.client()];
      await world.subscribed(one, CLUSTER, ["a"]);
      await world.subscribed(two, CLUSTER, ["a"]);
      await world.put(CLUSTER, "a", 2);
      one.nack(await one.next(CLUSTER));
      world.expect(await two.next(CLUSTER), { a: 2 });
    },
  },
  {
    id: "4.7",
    family,
    title: "a resource is removed after a NACK of its new version",
    run: async (world) => {
      await world.put(CLUSTER, "a");
      const client = world.client();
      await world.subscribed(client, CLUSTER, ["a"]);
      await world.put(CLUSTER, "a", 2);
      client.nack(await client.next(CLUSTER));
      await world.remove(CLUSTER, "a");
      world.expect(await client.next(CLUSTER), {}, ["a"]);
    },
  },
  {
    id: "4.8",
    family,
    beyond: true,
    title: "after a NACK the last good version is what that proxy is served, on a new stream too",
    run: async (world) => {
      await world.put(LISTENER, "a");
      const client = world.client();
      await world.subscribed(client, LISTENER, ["a"]);
      await world.put(LISTENER, "a", 2);
      client.nack(await client.next(LISTENER));
      client.send(LISTENER, { subscribe: [world.name("a")] });
      world.expect(await client.next(LISTENER), { a: 1 });
      client.close();
      world.expect(await world.subscribed(world.client(), LISTENER, ["a"]), { a: 1 });
    },
  },
  {
    id: "4.9",
    family,
    beyond: true,
    title: "error_detail alone makes a NACK, whatever its code",
    run: async (world) => {
      await world.put(LISTENER, "a");
      const client = world.client();
      await world.subscribed(client, LISTENER, ["a"]);
      await world.put(LISTENER, "a", 2);
      client.nack(await client.next(LISTENER), { code: 0, message: "" });
      client.send(LISTENER, { subscribe: [world.name("a")] });
      world.expect(await client.next(LISTENER), { a: 1 });
    },
  },
  {
    id: "4.10",
    family,
    beyond: true,
    title: "one refused resource among several is found, the others arrive",
    run: async (world) => {
      for (const text of ["a", "b", "bad"]) await world.put(ENDPOINT, text);
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a", "b", "bad"]);
      await world.batch([
        [ENDPOINT, "a", 2],
        [ENDPOINT, "b", 2],
        [ENDPOINT, "bad", 3],
      ]);
      const arrived: Record<string, number> = {};
      while (arrived.a !== 2 || arrived.b !== 2) {
        const response = await client.next(ENDPOINT);
        const { resources } = world.own(response);
        if (Object.values(resources).includes(3)) client.nack(response);
        else {
          Object.assign(arrived, resources);
          client.ack(response);
        }
      }
    },
  },
  {
    id: "5.1",
    family: nonceFamily,
    title: "every response of a stream has a nonce of its own",
    run: async (world) => {
      const client = world.client();
      const nonces: string[] = [];
      for (let v = 1; v <= 10; v += 1) {
        await world.put(ENDPOINT, "a", v);
        if (v === 1) client.send(ENDPOINT, { subscribe: [world.name("a")] });
        const response = await client.next(ENDPOINT);
        nonces.push(response.nonce);
        client.ack(response);
      }
      ok(nonces.every((nonce) => nonce !== ""));
      strictEqual(new Set(nonces).size, 10);
    },
  },
  {
    id: "5.2",
    family: nonceFamily,
    title: "a subscription with a stale nonce is honoured",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      await world.put(ENDPOINT, "b");
      const client = world.client();
      const first = await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "a", 2);
      await client.next(ENDPOINT);
      client.send(ENDPOINT, { subscribe: [world.name("b")], nonce: first.nonce });
      world.expect(await client.next(ENDPOINT), { b: 1 });
    },
  },
  {
    id: "5.3",
    family: nonceFamily,
    title: "a subscription with a nonce that never was is honoured",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [world.name("a")], nonce: "of another stream" });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
  {
    id: "5.4",
    family: nonceFamily,
    title: "an unsubscription with a stale nonce is honoured",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      const first = await world.subscribed(client, ENDPOINT, ["a"]);
      await world.put(ENDPOINT, "a", 2);
      const second = await client.next(ENDPOINT);
      client.send(ENDPOINT, { unsubscribe: [world.name("a")], nonce: first.nonce });
      client.ack(second);
      await world.put(ENDPOINT, "a", 3);
      await world.silent(client);
    },
  },
  {
    id: "5.5",
    family: nonceFamily,
    title: "a second ACK of the same response changes nothing",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      const response = await world.subscribed(client, ENDPOINT, ["a"]);
      client.ack(response);
      await world.silent(client);
      await world.put(ENDPOINT, "a", 2);
      world.expect(await client.next(ENDPOINT), { a: 2 });
    },
  },
  {
    id: "5.6",
    family: nonceFamily,
    title: "the nonce of one stream means nothing on the next",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const before = world.client();
      const { nonce } = await world.subscribed(before, ENDPOINT, ["a"]);
      before.close();
      const client = world.client();
      client.send(ENDPOINT, { subscribe: [world.name("a")], nonce });
      world.expect(await client.next(ENDPOINT), { a: 1 });
    },
  },
];
