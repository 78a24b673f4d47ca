/** Facts of simulated clusters: each value carries the number of the change that made it. */
import { endpointKey, loadKey, type RegisterType, type RegisterValues, serviceKey } from "@hansa/events";
import type { Fact } from "./ledger.ts";

export const REGION = "eu-west-1";

function fact<Type extends RegisterType>(type: Type, key: string, data: RegisterValues[Type]): Fact {
  return { type, v: 1, key, at: 1, data } as unknown as Fact;
}

export const serviceFact = (service: string, generation: number): Fact =>
  fact("ServiceSet", serviceKey("shop", service), {
    type: "ClusterSetIP",
    ports: [{ name: "http", port: 80, protocol: "http" }],
    serviceAccounts: ["sa"],
    createdMs: generation,
    export: { sinceMs: 1, to: "all" },
  });

export const loadFact = (service: string, generation: number): Fact =>
  fact("LoadSet", loadKey("shop", service, "http", REGION, "a"), {
    healthy: generation,
    total: generation,
    desired: generation,
    weight: generation,
  });

export const endpointFact = (service: string, id: string, generation: number): Fact =>
  fact("EndpointSet", endpointKey("shop", service, id), {
    address: "10.0.0.1",
    ports: { http: generation },
    ready: true,
    region: REGION,
    zone: "a",
    weight: 1,
    serviceAccount: "sa",
    workload: "w",
  });
