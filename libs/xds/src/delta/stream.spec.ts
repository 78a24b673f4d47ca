import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TYPE_URL } from "../type-urls.ts";
import { ResourceLayer } from "./layer.ts";
import { brief, message, type Received, type Resources, worldOf } from "./stream-fixture.ts";
import type { StreamOptions } from "./stream-types.ts";

const { cluster, endpoint, secret } = TYPE_URL;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const newLayer = () => new ResourceLayer({ sha256 });

const given = (resources: Resources = {}, options: Partial<StreamOptions> = {}) =>
  worldOf(newLayer(), resources, options);

describe("versions", () => {
  test("come from content alone: equal on another replica and after a restart", () => {
    const [a, b] = [newLayer(), newLayer()];
    b.update(cluster, [["x", message("old")]]);
    a.update(cluster, [["x", message("new")]]);
    b.update(cluster, [["x", message("new")]]);
    expect(a.get(cluster, "x")?.version).toBe(b.get(cluster, "x")?.version);
    expect(a.get(cluster, "x")?.version).toHaveLength(16);
  });

  test("a commit of equal content is no change", () => {
    const { layer, put, client, work } = given({ [cluster]: { x: "1" } });
    client.send({ typeUrl: cluster });
    client.settle();
    const { revision } = layer;
    expect(put({ [cluster]: { x: "1", gone: null } })).toBe(revision);
    expect(work()).toBe(0);
    expect(client.drain()).toEqual([]);
  });

  test("a resource is hashed and encoded once, however many streams take it", () => {
    let hashed = 0;
    const layer = new ResourceLayer({
      sha256: (data) => {
        hashed += 1;
        return sha256(data);
      },
    });
    layer.update(cluster, [["x", message("1")]]);
    for (let index = 0; index < 10; index += 1) {
      const { client } = given({}, { layers: [layer] });
      client.send({ typeUrl: cluster });
      expect(client.settle()).toHaveLength(1);
    }
    expect(hashed).toBe(1);
  });
});

describe("layers", () => {
  test("the first layer that has a name decides, and the next one shows when it goes", () => {
    const [own, shared] = [newLayer(), newLayer()];
    shared.update(secret, [["s", message("shared")]]);
    const client = given({}, { layers: [own, shared] }).client;
    client.send({ typeUrl: secret, subscribe: ["s"] });
    expect(brief(client.settle())).toEqual([["Secret", { s: "shared" }, []]]);
    own.update(secret, [["s", message("own")]]);
    expect(brief(client.settle())).toEqual([["Secret", { s: "own" }, []]]);
    shared.update(secret, [["s", message("hidden")]]);
    expect(client.settle()).toEqual([]);
    own.update(secret, [["s", null]]);
    expect(brief(client.settle())).toEqual([["Secret", { s: "hidden" }, []]]);
    shared.update(secret, [["s", null]]);
    expect(brief(client.settle())).toEqual([["Secret", {}, ["s"]]]);
  });

  test("replace makes a layer hold exactly what it is given, in one commit", () => {
    const { layer, client } = given({ [cluster]: { a: "1", b: "1" }, [endpoint]: { a: "1" } });
    client.send({ typeUrl: cluster });
    client.settle();
    layer.replace(new Map([[cluster, new Map([["b", message("2")]])]]));
    expect(brief(client.settle())).toEqual([["Cluster", { b: "2" }, ["a"]]]);
    expect([...layer.names(endpoint)]).toEqual([]);
  });

  test("a change wakes the streams that want it and no other", () => {
    const { connect, put, work } = given({ [endpoint]: { a: "1", b: "1" } });
    const [one, two] = [connect(), connect()];
    one.send({ typeUrl: endpoint, subscribe: ["a"] });
    two.send({ typeUrl: endpoint, subscribe: ["b"] });
    one.settle();
    two.settle();
    put({ [endpoint]: { a: "2" } });
    expect(work()).toBe(1);
    two.stream.close();
    put({ [endpoint]: { b: "2" } });
    expect(work()).toBe(1);
  });
});

describe("subscriptions", () => {
  const world = { [cluster]: { a: "1", b: "1" } };

  test("legacy wildcard, then a name, then not the wildcard, then not the name", () => {
    const { client, put } = given(world);
    client.send({ typeUrl: cluster });
    expect(brief(client.settle())).toEqual([["Cluster", { a: "1", b: "1" }, []]]);
    client.send({ typeUrl: cluster, subscribe: ["a"] });
    expect(brief(client.settle())).toEqual([["Cluster", { a: "1" }, []]]);
    client.send({ typeUrl: cluster, unsubscribe: ["*"] });
    put({ [cluster]: { a: "2", b: "2" } });
    expect(brief(client.settle())).toEqual([["Cluster", { a: "2" }, []]]);
    client.send({ typeUrl: cluster, unsubscribe: ["a"] });
    put({ [cluster]: { a: "3", b: "3" } });
    client.send({ typeUrl: cluster });
    expect(client.settle()).toEqual([]);
  });

  test("unsubscribing a name under a wildcard is answered, a phantom never", () => {
    const { client } = given(world);
    client.send({ typeUrl: cluster, subscribe: ["*", "a", "gone"] });
    client.settle();
    client.send({ typeUrl: cluster, unsubscribe: ["phantom"] });
    expect(client.settle()).toEqual([]);
    client.send({ typeUrl: cluster, unsubscribe: ["a", "gone"] });
    expect(brief(client.settle())).toEqual([["Cluster", { a: "1" }, ["gone"]]]);
  });

  test("a missing name is told at once, and the resource comes when it appears", () => {
    const { client, put } = given(world);
    client.send({ typeUrl: cluster, subscribe: ["late"] });
    expect(brief(client.settle())).toEqual([["Cluster", {}, ["late"]]]);
    put({ [cluster]: { late: "1" } });
    expect(brief(client.settle())).toEqual([["Cluster", { late: "1" }, []]]);
  });

  test("what a client brings from another stream is not sent again; what is gone is removed", () => {
    const { client, connect, put } = given(world);
    client.send({ typeUrl: cluster });
    client.settle();
    const initialVersions = new Map(client.versions.get(cluster));
    client.stream.close();
    put({ [cluster]: { a: null, b: "2", c: "1" } });
    const again = connect();
    again.send({ typeUrl: cluster, initialVersions });
    expect(brief(again.settle())).toEqual([["Cluster", { b: "2", c: "1" }, ["a"]]]);
    const same = connect();
    same.send({ typeUrl: cluster, initialVersions: new Map(again.versions.get(cluster)) });
    expect(brief(same.settle())).toEqual([["Cluster", {}, []]]);
  });
});

describe("ACK gate", () => {
  test("one push of a type is in flight; later ones coalesce into their newest state", () => {
    const { put, client } = given({ [endpoint]: { a: "1", b: "1" } });
    client.send({ typeUrl: endpoint, subscribe: ["a", "b"] });
    client.settle();
    put({ [endpoint]: { a: "2" } });
    const [first] = client.drain();
    for (const text of ["3", "4", "5"]) put({ [endpoint]: { a: text } });
    put({ [endpoint]: { b: "2" } });
    expect(client.drain()).toEqual([]);
    client.ack(first as Received);
    expect(brief(client.drain())).toEqual([["ClusterLoadAssignment", { a: "5", b: "2" }, []]]);
  });

  test("what went back to the acknowledged content is not sent", () => {
    const { put, client } = given({ [endpoint]: { a: "1", b: "1" } });
    client.send({ typeUrl: endpoint, subscribe: ["a", "b"] });
    client.settle();
    put({ [endpoint]: { b: "2" } });
    const [first] = client.drain();
    put({ [endpoint]: { a: "2" } });
    put({ [endpoint]: { a: "1" } });
    client.ack(first as Received);
    expect(client.drain()).toEqual([]);
  });

  test("an answer to a subscription does not wait for the ACK of a push", () => {
    const { client } = given({ [endpoint]: { a: "1", b: "1" } });
    client.send({ typeUrl: endpoint, subscribe: ["a"] });
    expect(client.drain()).toHaveLength(1);
    client.send({ typeUrl: endpoint, subscribe: ["b"] });
    expect(brief(client.drain())).toEqual([["ClusterLoadAssignment", { b: "1" }, []]]);
  });

  test("a client that asks for ever without an ACK gets a bounded number of answers", () => {
    const { client } = given({ [endpoint]: { a: "1" } }, { limits: { answersInFlightMax: 3 } });
    let answers = 0;
    for (let round = 0; round < 20; round += 1) {
      client.send({ typeUrl: endpoint, subscribe: ["a"] });
      answers += client.drain().length;
    }
    expect(answers).toBe(3);
  });

  test("answering a later response answers the earlier ones", () => {
    const { put, client } = given({ [endpoint]: { a: "1", b: "1" } });
    client.send({ typeUrl: endpoint, subscribe: ["a"] });
    client.drain();
    client.send({ typeUrl: endpoint, subscribe: ["b"] });
    const [second] = client.drain();
    put({ [endpoint]: { a: "2" } });
    expect(client.drain()).toEqual([]);
    client.ack(second as Received);
    expect(brief(client.drain())).toEqual([["ClusterLoadAssignment", { a: "2" }, []]]);
  });

  test("reports the revision that is acknowledged, per type and for the stream", () => {
    const { put, client } = given({ [cluster]: { x: "1" }, [endpoint]: { x: "1" } });
    client.send({ typeUrl: cluster });
    client.send({ typeUrl: endpoint, subscribe: ["x"] });
    client.settle();
    const revision = put({ [cluster]: { y: "1" }, [endpoint]: { x: "2" } });
    const [clusters, endpoints] = client.drain() as [Received, Received];
    expect(client.ack(endpoints)).toEqual({
      kind: "ack",
      typeUrl: endpoint,
      revision,
      streamRevision: revision - 1,
    });
    expect(client.ack(clusters)).toMatchObject({ revision, streamRevision: revision });
  });
});

test("a large first answer is split below the limit of gRPC clients", () => {
  const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
  const { client } = given(
    { [cluster]: Object.fromEntries(names.map((name) => [name, "x".repeat(1000)])) },
    { limits: { responseBytesMax: 10_000 } },
  );
  client.send({ typeUrl: cluster });
  const received = client.settle();
  expect(received.length).toBeGreaterThan(3);
  expect(received.flatMap(({ resources }) => [...resources.keys()])).toEqual(names);
});

describe("limits", () => {
  test("more types or names than allowed end the stream", () => {
    const { client } = given({}, { limits: { typesMax: 1, subscriptionsMax: 2 } });
    expect(client.send({ typeUrl: endpoint, subscribe: ["a", "b"] }).kind).toBe("none");
    expect(client.send({ typeUrl: endpoint, subscribe: ["a"] }).kind).toBe("none");
    expect(client.send({ typeUrl: endpoint, subscribe: ["c"] })).toMatchObject({
      kind: "refused",
      status: "RESOURCE_EXHAUSTED",
      code: "HSA1006",
    });
    expect(client.send({ typeUrl: cluster })).toMatchObject({ kind: "refused", code: "HSA1006" });
  });
});
