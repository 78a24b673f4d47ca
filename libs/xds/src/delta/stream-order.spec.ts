/** Order between types: make before break, warming, removals last (xDS rules 15 and 16). */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TYPE_URL } from "../type-urls.ts";
import { ResourceLayer } from "./layer.ts";
import { brief, type Received, type Resources, worldOf } from "./stream-fixture.ts";
import type { StreamOptions } from "./stream-types.ts";

const { cluster, endpoint, listener, route, secret } = TYPE_URL;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const newLayer = () => new ResourceLayer({ sha256 });

const given = (resources: Resources = {}, options: Partial<StreamOptions> = {}) =>
  worldOf(newLayer(), resources, options);

describe("make before break", () => {
  const world = {
    [cluster]: { x: "1" },
    [endpoint]: { x: "1" },
    [listener]: { l: "x" },
    [route]: { r: "x" },
  };
  const envoy = (resources: typeof world) => {
    const it = given(resources);
    it.client.send({ typeUrl: cluster });
    it.client.settle();
    it.client.send({ typeUrl: endpoint, subscribe: ["x"] });
    it.client.send({ typeUrl: listener });
    it.client.settle();
    it.client.send({ typeUrl: route, subscribe: ["r"] });
    it.client.settle();
    return it;
  };

  test("one commit travels CDS, EDS, LDS, RDS", () => {
    const { put, client } = envoy(world);
    put({ [route]: { r: "2" }, [listener]: { l: "2" }, [endpoint]: { x: "2" }, [cluster]: { x: "2" } });
    expect(client.drain().map(({ typeUrl }) => typeUrl)).toEqual([cluster, endpoint, listener, route]);
  });

  test("a listener waits while its cluster cannot be sent yet; an earlier one does not", () => {
    const { put, client } = envoy(world);
    put({ [cluster]: { y: "1" } });
    const [pushed] = client.drain();
    put({ [listener]: { early: "x" } });
    const early = client.drain();
    expect(brief(early)).toEqual([["Listener", { early: "x" }, []]]);
    client.ack(early[0] as Received);
    put({ [cluster]: { z: "1" }, [listener]: { l: "z" }, [route]: { r: "z" } });
    expect(client.drain()).toEqual([]);
    client.ack(pushed as Received);
    expect(client.drain().map(({ typeUrl }) => typeUrl)).toEqual([cluster, listener, route]);
  });

  test("who comes back gets no listener before it has asked for clusters, for a bounded time", () => {
    const { put, client, connect, clock } = envoy(world);
    const initialVersions = new Map(client.versions.get(listener));
    put({ [cluster]: { y: "1" }, [listener]: { l: "y" } });
    const resumed = connect();
    resumed.send({ typeUrl: listener, initialVersions });
    expect(resumed.drain()).toEqual([]);
    resumed.send({ typeUrl: cluster, initialVersions: new Map(client.versions.get(cluster)) });
    expect(resumed.drain().map(({ typeUrl }) => typeUrl)).toEqual([cluster, listener]);
    const other = connect();
    other.send({ typeUrl: listener, initialVersions });
    expect(other.stream.wakeAtMs()).toBe(clock.nowMs + 2000);
    clock.nowMs += 2000;
    expect(brief(other.drain())).toEqual([["Listener", { l: "y" }, []]]);
    expect(other.stream.wakeAtMs()).toBeUndefined();
  });

  test("listeners and routes wait for the endpoints of a new cluster, for a bounded time", () => {
    const { put, client, clock } = envoy(world);
    put({ [cluster]: { y: "1" }, [endpoint]: { y: "1" }, [route]: { r: "y" } });
    const [clusters] = client.drain() as [Received];
    expect(clusters.typeUrl).toBe(cluster);
    client.ack(clusters);
    expect(client.drain()).toEqual([]);
    client.send({ typeUrl: endpoint, subscribe: ["y"] });
    expect(client.drain().map(({ typeUrl }) => typeUrl)).toEqual([endpoint, route]);

    put({ [cluster]: { z: "1" }, [endpoint]: { z: "1" }, [listener]: { l: "z" } });
    expect(client.drain()).toHaveLength(1);
    expect(client.stream.wakeAtMs()).toBe(clock.nowMs + 250);
    clock.nowMs += 250;
    expect(client.drain().map(({ typeUrl }) => typeUrl)).toEqual([listener]);
    expect(client.stream.wakeAtMs()).toBeUndefined();
  });

  test("a removed cluster goes when the route that left it is acknowledged", () => {
    const { put, client } = envoy(world);
    put({ [cluster]: { x: null }, [endpoint]: { x: null }, [route]: { r: "y" } });
    const [routes] = client.drain() as [Received];
    expect(routes.typeUrl).toBe(route);
    client.ack(routes);
    const [clusters] = client.drain() as [Received];
    expect(brief([clusters])).toEqual([["Cluster", {}, ["x"]]]);
    client.ack(clusters);
    expect(brief(client.drain())).toEqual([["ClusterLoadAssignment", {}, ["x"]]]);
  });

  test("endpoints wait for the waiting version of their own cluster, and of no other", () => {
    const { put, client } = envoy(world);
    put({ [cluster]: { x: "2" } });
    const [clusters, endpoints] = client.drain() as [Received, Received];
    client.ack(endpoints);
    put({ [cluster]: { x: "3" }, [endpoint]: { x: "3" } });
    expect(client.drain()).toEqual([]);
    client.ack(clusters);
    expect(brief(client.drain())).toEqual([
      ["Cluster", { x: "3" }, []],
      ["ClusterLoadAssignment", { x: "3" }, []],
    ]);
  });

  test("a removal does not wait for a change that turned out to be none", () => {
    const { put, client } = envoy(world);
    put({ [listener]: { l: "1" } });
    const [pushed] = client.drain() as [Received];
    put({ [cluster]: { x: null }, [listener]: { l: "2" } });
    put({ [listener]: { l: "1" } });
    client.ack(pushed);
    expect(brief(client.drain())).toEqual([["Cluster", {}, ["x"]]]);
  });

  test("a secret is not held back by anything", () => {
    const { put, client } = envoy(world);
    client.send({ typeUrl: secret, subscribe: ["s"] });
    client.settle();
    put({ [cluster]: { y: "1" } });
    client.drain();
    put({ [cluster]: { z: "1" }, [secret]: { s: "1" } });
    expect(brief(client.drain())).toEqual([["Secret", { s: "1" }, []]]);
  });

  test("after a cluster only its own assignment is sent again, also one that is missing", () => {
    const { put, client } = envoy(world);
    client.send({ typeUrl: endpoint, subscribe: ["other", "missing"] });
    client.settle();
    put({ [cluster]: { x: "2" } });
    expect(brief(client.settle())).toEqual([
      ["Cluster", { x: "2" }, []],
      ["ClusterLoadAssignment", { x: "1" }, []],
    ]);
    put({ [cluster]: { missing: "1" } });
    expect(brief(client.settle())).toEqual([
      ["Cluster", { missing: "1" }, []],
      ["ClusterLoadAssignment", {}, ["missing"]],
    ]);
  });
});
