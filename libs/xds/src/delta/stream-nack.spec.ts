import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TYPE_URL } from "../type-urls.ts";
import { ResourceLayer } from "./layer.ts";
import { ProxyMemory } from "./rejections.ts";
import { brief, type Received, type Resources, worldOf } from "./stream-fixture.ts";
import type { StreamOptions } from "./stream-types.ts";

const { cluster, endpoint, listener } = TYPE_URL;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const given = (resources: Resources, options: Partial<StreamOptions> = {}) =>
  worldOf(new ResourceLayer({ sha256 }), resources, options);

describe("NACK", () => {
  test("one refused resource: not sent again, the last good one is served to that proxy, also when it restarts", () => {
    const memory = new ProxyMemory();
    const { put, client, connect } = given({ [listener]: { l: "good" } }, { memory });
    client.send({ typeUrl: listener });
    client.settle();
    const good = client.versions.get(listener)?.get("l") as string;
    put({ [listener]: { l: "bad" } });
    const [refused] = client.drain();
    expect(client.nack(refused as Received, "no such filter")).toMatchObject({ kind: "nack", blamed: ["l"] });
    expect(client.drain()).toEqual([]);
    put({ [listener]: { other: "1" } });
    expect(brief(client.settle())).toEqual([["Listener", { other: "1" }, []]]);
    expect(client.stream.status()[0]?.nack).toMatchObject({ message: "no such filter", names: ["l"] });
    client.send({ typeUrl: listener, subscribe: ["l"] });
    expect(brief(client.settle())).toEqual([["Listener", { l: "good" }, []]]);

    const restarted = connect();
    restarted.send({ typeUrl: listener });
    expect(brief(restarted.settle())).toEqual([["Listener", { l: "good", other: "1" }, []]]);
    expect(restarted.stream.status()[0]?.nack).toMatchObject({ message: "no such filter", names: ["l"] });
    const resumed = connect();
    resumed.send({ typeUrl: cluster });
    resumed.send({ typeUrl: listener, initialVersions: new Map([["l", good]]) });
    expect(brief(resumed.settle())).toContainEqual(["Listener", { other: "1" }, []]);
    const stranger = connect({ memory: new ProxyMemory() });
    stranger.send({ typeUrl: listener });
    expect(brief(stranger.settle())).toEqual([["Listener", { l: "bad", other: "1" }, []]]);

    put({ [listener]: { l: "mended" } });
    expect(brief(client.settle())).toEqual([["Listener", { l: "mended" }, []]]);
    expect(client.stream.status()[0]?.nack).toBeUndefined();
  });

  test("holds back the acknowledged revision until it is mended", () => {
    const { put, client } = given({ [listener]: { l: "good" } });
    client.send({ typeUrl: listener });
    client.settle();
    const bad = put({ [listener]: { l: "bad" } });
    client.nack(client.drain()[0] as Received);
    put({ [listener]: { other: "1" } });
    client.settle();
    expect(client.stream.status()[0]?.acked).toBe(bad - 1);
    const mended = put({ [listener]: { l: "good again" } });
    client.settle();
    expect(client.stream.status()[0]?.acked).toBe(mended);
  });

  test("a newer version is sent at once after a NACK, and one that was waiting too", () => {
    const { put, client } = given({ [listener]: { l: "good" } });
    client.send({ typeUrl: listener });
    client.settle();
    put({ [listener]: { l: "bad" } });
    const [refused] = client.drain();
    put({ [listener]: { l: "newer" } });
    client.nack(refused as Received);
    expect(brief(client.drain())).toEqual([["Listener", { l: "newer" }, []]]);
  });

  test("going back to the good content sends nothing; removing removes", () => {
    const { put, client } = given({ [listener]: { l: "good" } });
    client.send({ typeUrl: listener });
    client.settle();
    put({ [listener]: { l: "bad" } });
    client.nack(client.drain()[0] as Received);
    put({ [listener]: { l: "good" } });
    expect(client.drain()).toEqual([]);
    put({ [listener]: { l: "bad" } });
    expect(client.drain()).toEqual([]);
    put({ [listener]: { l: null } });
    expect(brief(client.settle())).toEqual([["Listener", {}, ["l"]]]);
  });

  test("one bad resource among many is found, the others arrive", () => {
    const names = Array.from({ length: 33 }, (_, index) => `e${index}`);
    const { put, client, clock } = given({
      [endpoint]: Object.fromEntries(names.map((name) => [name, "1"])),
    });
    client.send({ typeUrl: endpoint, subscribe: names });
    client.settle();
    put({ [endpoint]: Object.fromEntries(names.map((name) => [name, name === "e17" ? "bad" : "2"])) });
    let responses = 0;
    let blamed: readonly string[] = [];
    for (let round = 0; round < 200; round += 1) {
      const received = client.drain();
      if (received.length === 0) {
        const at = client.stream.wakeAtMs();
        if (at === undefined) break;
        expect(at).toBeLessThanOrEqual(clock.nowMs + 1000);
        clock.nowMs = Math.max(clock.nowMs, at);
        continue;
      }
      for (const one of received) {
        responses += 1;
        if ([...one.resources.values()].includes("bad")) {
          const outcome = client.nack(one);
          if (outcome.kind === "nack") blamed = outcome.blamed;
          continue;
        }
        client.apply(one);
        client.ack(one);
      }
    }
    expect(responses).toBeLessThan(20);
    expect(blamed).toEqual(["e17"]);
    expect([...(client.held.get(endpoint) ?? [])].filter(([, text]) => text !== "2")).toEqual([["e17", "1"]]);
  });

  test("a client that refuses everything is not tried for ever", () => {
    const names = Array.from({ length: 500 }, (_, index) => `e${index}`);
    const { client, clock } = given({ [endpoint]: Object.fromEntries(names.map((name) => [name, "1"])) });
    client.send({ typeUrl: endpoint, subscribe: names });
    let responses = 0;
    for (let round = 0; round < 2000; round += 1) {
      for (const one of client.drain()) {
        responses += 1;
        client.nack(one);
      }
      clock.nowMs += 1000;
    }
    expect(responses).toBeLessThan(80);
    expect(client.stream.wakeAtMs()).toBeUndefined();
  });
});
