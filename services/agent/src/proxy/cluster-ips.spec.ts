import type { ServicePortView, ViewLocality } from "@hansa/model";
import { expect, it } from "vitest";
import { ownView } from "./cluster-ips.ts";

const endpoint = (id: string, more: object = {}) => ({
  address: "10.0.0.7",
  port: 15_006,
  weight: 1,
  health: "healthy",
  placeholder: false,
  id,
  ...more,
});
const locality = (cluster: string, priority: number, more: object = {}): ViewLocality =>
  ({ cluster, zone: "a", priority, draining: false, endpoints: [endpoint(cluster)], ...more }) as never;
const view = (exporters: readonly string[], localities: readonly ViewLocality[]): ServicePortView =>
  ({ port: { port: 80 }, exporters: exporters.map((cluster) => ({ cluster })), localities }) as never;
const at = { port: 8080 };

it("leads to the pods of the cluster alone, all of them alike, by the Service's own port", () => {
  const own = ownView(
    view(["us", "eu"], [locality("us", 0), locality("eu", 1), locality("eu", 2)]),
    "eu",
    at,
  );
  expect(own?.port.port).toBe(8080);
  expect(own?.exporters.map(({ cluster }) => cluster)).toEqual(["eu"]);
  expect(own?.localities.map(({ cluster, priority }) => [cluster, priority])).toEqual([
    ["eu", 0],
    ["eu", 0],
  ]);
});

it("is none where the cluster does not export the service", () => {
  expect(ownView(view(["us"], [locality("us", 0)]), "eu", at)).toBeUndefined();
});

it("knows no capacity that is missing, and no drain of the cluster", () => {
  const endpoints = [
    endpoint("a", { health: "draining" }),
    endpoint("missing", { placeholder: true, health: "unhealthy" }),
  ];
  const healths = (draining: boolean) =>
    ownView(view(["eu"], [locality("eu", 0, { draining, endpoints })]), "eu", at)?.localities.flatMap((one) =>
      one.endpoints.map(({ id, health }) => `${id} ${health}`),
    );
  expect(healths(true)).toEqual(["a healthy"]);
  expect(healths(false)).toEqual(["a draining"]);
});
