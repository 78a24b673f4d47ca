import { expect, test } from "vitest";
import { envoyArguments, envoyBootstrap } from "./bootstrap.ts";

const input = {
  nodeId: "shop/pay/pay-1",
  cluster: "eu",
  adsSocketPath: "/run/hansa/eu/pay-1.sock",
  adminAddress: "127.0.0.1",
  adminPort: 15_000,
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

test("a socket path that the kernel would cut, and a drain that outlives an eviction, are refused", () => {
  expect(() => envoyBootstrap({ ...input, adsSocketPath: `/tmp/${"x".repeat(103)}` })).toThrow(
    /longer than 107/,
  );
  for (const drainSeconds of [0, 61, Number.NaN])
    expect(() => envoyArguments({ bootstrapPath: "b.json", drainSeconds })).toThrow(RangeError);
  expect(envoyArguments({ bootstrapPath: "b.json", drainSeconds: 45 })).toContain("45");
});
