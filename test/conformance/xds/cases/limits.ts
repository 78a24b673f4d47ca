/** Sizes, malformed bytes, ends of streams, and who owns a stream. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import type { Case, World } from "../case.ts";
import { ENDPOINT, SECRET } from "../resources.ts";

const limits = "limits and malformed input";
const owner = "owner binding";

const stillServes = async (world: World): Promise<void> => {
  await world.put(ENDPOINT, "after");
  world.expect(await world.subscribed(world.client(), ENDPOINT, ["after"]), { after: 1 });
};

const refusedOwner = (id: string, title: string, nodeId: string | null): Case => ({
  id,
  family: owner,
  beyond: true,
  title,
  run: async (world) => {
    await world.put(SECRET, "key");
    const client = world.client();
    client.send(SECRET, { subscribe: ["*", world.name("key")], nodeId });
    const end = await client.endOfStream();
    strictEqual(end.code, 7);
    match(end.details, /HSA5003/);
    deepStrictEqual(await client.quiet(0), []);
  },
});

export const limitsAndOwner: readonly Case[] = [
  {
    id: "22.1",
    family: limits,
    title: "bytes that are no request end this stream with an error, and no other",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const [bad, good] = [world.client(), world.client()];
      await world.subscribed(good, ENDPOINT, ["a"]);
      bad.sendBytes(Uint8Array.from([0x1a, 0xff, 0x01, 0x02]));
      ok([3, 13].includes((await bad.endOfStream()).code));
      await world.put(ENDPOINT, "a", 2);
      world.expect(await good.next(ENDPOINT), { a: 2 });
    },
  },
  {
    id: "22.2",
    family: limits,
    title: "a thousand names in one request are all answered",
    run: async (world) => {
      const texts = Array.from({ length: 1000 }, (_, index) => `n${index}`);
      await world.put(ENDPOINT, "n7");
      const client = world.client();
      client.send(ENDPOINT, { subscribe: texts.map((text) => world.name(text)) });
      let answered = 0;
      while (answered < 1000) {
        const response = await client.next(ENDPOINT);
        answered += response.resources.length + response.removed.length;
        client.ack(response);
      }
      strictEqual(answered, 1000);
    },
  },
  {
    id: "22.3",
    family: limits,
    title: "a first answer of more than 4 MiB arrives in messages that gRPC clients take",
    run: async (world) => {
      const texts = Array.from({ length: 60 }, (_, index) => `big${index}`);
      for (const text of texts) await world.put(SECRET, text, 1, "x".repeat(100_000));
      const client = world.client();
      client.send(SECRET, { subscribe: texts.map((text) => world.name(text)) });
      const names = new Set<string>();
      let sizeBytes = 0;
      while (names.size < texts.length) {
        const response = await client.next(SECRET);
        ok(response.sizeBytes < 4 << 20);
        sizeBytes += response.sizeBytes;
        for (const { name } of response.resources) names.add(name);
        client.ack(response);
      }
      ok(sizeBytes > 4 << 20);
    },
  },
  {
    id: "22.4",
    family: limits,
    title: "a single resource of 3 MiB arrives whole",
    run: async (world) => {
      await world.put(SECRET, "big", 3, "y".repeat(3 << 20));
      const response = await world.subscribed(world.client(), SECRET, ["big"]);
      ok((response.resources[0]?.message.length ?? 0) > 3 << 20);
    },
  },
  {
    id: "22.5",
    family: limits,
    title: "names beyond ASCII arrive as they are",
    run: async (world) => {
      await world.put(ENDPOINT, "Zürich-東京-🚀", 5);
      world.expect(await world.subscribed(world.client(), ENDPOINT, ["Zürich-東京-🚀"]), {
        "Zürich-東京-🚀": 5,
      });
    },
  },
  {
    id: "22.6",
    family: limits,
    beyond: true,
    title: "more names than one request may have end the stream with RESOURCE_EXHAUSTED",
    run: async (world) => {
      const client = world.client();
      client.send(ENDPOINT, { subscribe: Array.from({ length: 100_001 }, (_, index) => `n${index}`) });
      const end = await client.endOfStream();
      strictEqual(end.code, 8);
      match(end.details, /HSA1006/);
      await stillServes(world);
    },
  },
  {
    id: "22.7",
    family: limits,
    beyond: true,
    title: "a name of more than 2048 bytes ends the stream with RESOURCE_EXHAUSTED",
    run: async (world) => {
      const client = world.client();
      client.send(ENDPOINT, { subscribe: ["z".repeat(2049)] });
      strictEqual((await client.endOfStream()).code, 8);
      await stillServes(world);
    },
  },
  {
    id: "22.8",
    family: limits,
    title: "a client that ends its side gets the stream ended",
    run: async (world) => {
      const client = world.client();
      await world.subscribed(client, ENDPOINT, ["a"]);
      client.halfClose();
      strictEqual((await client.endOfStream()).code, 0);
    },
  },
  {
    id: "22.9",
    family: limits,
    title: "a stream that breaks off leaves the next one whole",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      for (let round = 0; round < 10; round += 1) {
        const client = world.client();
        client.send(ENDPOINT, { subscribe: [world.name("a")] });
        if (round % 2 === 0) await client.next(ENDPOINT);
        client.close();
      }
      await stillServes(world);
    },
  },
  {
    id: "22.10",
    family: limits,
    title:
      "asking again and again without an ACK is answered in bounds, and the newest state comes in the end",
    run: async (world) => {
      await world.put(ENDPOINT, "a");
      const client = world.client();
      for (let round = 0; round < 200; round += 1) client.send(ENDPOINT, { subscribe: [world.name("a")] });
      await world.put(ENDPOINT, "a", 2);
      for (let latest = 0; latest !== 2; ) {
        const response = await client.next(ENDPOINT);
        latest = world.own(response).resources.a ?? 0;
        client.ack(response);
      }
    },
  },
  refusedOwner("23.1", "a stream that names another node is refused and gets nothing", "somebody/else"),
  refusedOwner("23.2", "a stream without a node is refused and gets nothing", null),
  refusedOwner("23.3", "a node id that only begins like the owner's is refused", "conformance/2"),
  {
    id: "23.4",
    family: owner,
    beyond: true,
    title: "a stream that changes its node ends, and what it asked for with it is not answered",
    run: async (world) => {
      await world.put(SECRET, "key");
      const client = world.client();
      await world.subscribed(client, SECRET, ["other"]);
      client.send(SECRET, { subscribe: [world.name("key")], nodeId: "somebody/else" });
      strictEqual((await client.endOfStream()).code, 7);
      deepStrictEqual(await client.quiet(0), []);
    },
  },
];
