import { encodeClusterLoadAssignment, HEALTH, TYPE_URL } from "@hansa/xds";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differencesOf, type Offered } from "./difference.ts";

const PAY = "http.pay.shop.svc.lab.hansa";
const none = new Uint8Array();
const assignment = (weight: number) =>
  encodeClusterLoadAssignment({
    clusterName: PAY,
    localities: [
      {
        region: "eu",
        priority: 1,
        endpoints: [{ address: "127.16.2.1", port: 15_443, weight, health: HEALTH.healthy }],
      },
    ],
  });
const offered = (change: Partial<Record<keyof typeof TYPE_URL, string>> = {}): Offered[] => [
  { typeUrl: TYPE_URL.cluster, name: PAY, version: change.cluster ?? "c1", message: none },
  { typeUrl: TYPE_URL.endpoint, name: PAY, version: "e1", message: assignment(2) },
  { typeUrl: TYPE_URL.listener, name: "outbound", version: change.listener ?? "l1", message: none },
  { typeUrl: TYPE_URL.secret, name: "svid", version: change.secret ?? "s1", message: none },
  { typeUrl: TYPE_URL.secret, name: "nobody-asks", version: "s1", message: none },
];

/** As Envoy 1.40 answers `/config_dump?include_eds`. */
const dump = (weight = 2): { configs: unknown[] } => ({
  configs: [
    {
      static_clusters: [{ cluster: { name: "agent" } }],
      dynamic_active_clusters: [{ version_info: "c1", cluster: { name: PAY } }],
    },
    {
      dynamic_endpoint_configs: [
        {
          endpoint_config: {
            cluster_name: PAY,
            endpoints: [
              {
                priority: 1,
                lb_endpoints: [
                  {
                    endpoint: { address: { socket_address: { address: "127.16.2.1", port_value: 15_443 } } },
                    health_status: "HEALTHY",
                    load_balancing_weight: weight,
                  },
                ],
              },
            ],
          },
        },
      ],
    },
    { dynamic_listeners: [{ name: "outbound", active_state: { version_info: "l1" } }] },
    {
      dynamic_active_secrets: [
        { name: "svid", version_info: "s1", secret: { name: "svid" } },
        // From a file of the pod: no agent offers it.
        { name: "agent-roots", secret: { name: "agent-roots" } },
      ],
    },
  ],
});

describe("what an Envoy has", () => {
  test("is no different where the versions and the endpoints are the same; what nothing refers to is not missed", () => {
    expect(differencesOf(offered(), dump())).toEqual({ compared: 4, differences: [] });
  });

  test("differs by version", () => {
    expect(differencesOf(offered({ cluster: "c2", secret: "s2" }), dump()).differences).toMatchObject([
      { type: "Cluster", name: PAY, state: "other", agent: "c2", envoy: "c1" },
      { type: "Secret", name: "svid", state: "other", agent: "s2", envoy: "s1" },
    ]);
  });

  test("differs by single endpoints", () => {
    const [only] = differencesOf(offered(), dump(3)).differences;
    expect(only).toMatchObject({
      type: "ClusterLoadAssignment",
      agent: "127.16.2.1:15443 priority 1 weight 2 HEALTHY",
      envoy: "127.16.2.1:15443 priority 1 weight 3 HEALTHY",
    });
  });

  test("lacks and has too much", () => {
    const { differences } = differencesOf(
      offered().filter(({ typeUrl }) => typeUrl !== TYPE_URL.listener),
      { configs: dump().configs.slice(1) },
    );
    expect(differences).toMatchObject([
      { type: "Cluster", name: PAY, state: "missing", envoy: null },
      { type: "Listener", name: "outbound", state: "extra", agent: null },
    ]);
  });

  test("says why it refused", () => {
    const refusing = { name: "outbound", error_state: { details: "no such filter" } };
    const answer = {
      configs: [...dump().configs.filter((_, index) => index !== 2), { dynamic_listeners: [refusing] }],
    };
    expect(differencesOf(offered(), answer).differences).toMatchObject([
      { name: "outbound", state: "refused", agent: "l1", envoy: null, reason: "no such filter" },
    ]);
  });

  test("may answer anything", () => {
    fc.assert(fc.property(fc.jsonValue(), (answer) => void differencesOf(offered(), answer)));
  });
});
