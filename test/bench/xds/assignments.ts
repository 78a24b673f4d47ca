/** Load assignments of the benchmark: the same as those of the Go peer (test/bench/go/peer/bench.go). */
import { type Assignment, HEALTH } from "@hansa/xds";

export const nameOf = (index: number): string => `http.svc-${String(index).padStart(5, "0")}.shop.svc.bench`;

/** `weight` of the first endpoint tells versions apart. */
export const assignment = (index: number, endpoints: number, weight: number): Assignment => ({
  clusterName: nameOf(index),
  localities: [
    {
      region: "eu",
      zone: "a",
      priority: 0,
      endpoints: Array.from({ length: endpoints }, (_, host) => ({
        address: `10.${index >> 8}.${index & 255}.${host}`,
        port: 8080,
        health: HEALTH.healthy,
        weight: host === 0 ? weight : 1,
      })),
    },
  ],
});
