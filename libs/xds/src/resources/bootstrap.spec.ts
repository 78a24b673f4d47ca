import { expect, test } from "vitest";
import { envoyArguments, envoyBootstrap } from "./bootstrap.ts";

const input = {
  nodeId: "shop/pay/pay-1",
  cluster: "eu",
  adsSocketPath: "/run/hansa/eu/pay-1.sock",
  admin: { address: "127.0.0.1", port: 15_000 },
  locality: { region: "eu-west-1", zone: "a" },
};

test("all resources come by one delta ADS stream over the proxy's own socket", () => {
  expect(envoyBootstrap(input)).toMatchObject({
    node: { id: "shop/pay/pay-1", cluster: "eu" },
    dynamic_resources: {
      ads_config: { api_type: "DELTA_GRPC" },
      cds_config: { ads: {} },
      lds_config: { ads: {} },
    },
    static_resources: {
      clusters: [
        {
          load_assignment: {
            endpoints: [
              { lb_endpoints: [{ endpoint: { address: { pipe: { path: input.adsSocketPath } } } }] },
            ],
          },
        },
      ],
    },
  });
});

test("the admin interface is on loopback, or on a unix socket", () => {
  expect(envoyBootstrap(input)).toMatchObject({
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 15_000 } } },
  });
  const path = "/run/hansa/eu/pay-1.admin";
  expect(envoyBootstrap({ ...input, admin: { path } })).toMatchObject({
    admin: { address: { pipe: { path } } },
  });
});

test("a socket path that the kernel would cut, and a drain that outlives an eviction, are refused", () => {
  expect(() => envoyBootstrap({ ...input, adsSocketPath: `/tmp/${"x".repeat(103)}` })).toThrow(
    /adsSocketPath: longer than 107/,
  );
  expect(() => envoyBootstrap({ ...input, admin: { path: `/tmp/${"x".repeat(103)}` } })).toThrow(
    /admin.path: longer than 107/,
  );
  for (const drainSeconds of [0, 61, Number.NaN])
    expect(() => envoyArguments({ bootstrapPath: "b.json", drainSeconds })).toThrow(RangeError);
  expect(envoyArguments({ bootstrapPath: "b.json", drainSeconds: 45 })).toContain("45");
});
