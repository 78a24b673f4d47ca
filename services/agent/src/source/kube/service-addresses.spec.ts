import { expect, it } from "vitest";
import { serviceJson } from "./kube.fixture.ts";
import { projectService } from "./objects.ts";
import { serviceAddresses } from "./service-addresses.ts";

const PORT = 15_443;
const service = (type: string, ingress: readonly object[] = [], port: object = {}) =>
  projectService({
    ...serviceJson({ spec: { type, ports: [{ name: "mesh", port: PORT, nodePort: 31_443, ...port }] } }),
    status: { loadBalancer: { ingress } },
  });
const NODES = ["10.0.0.7", "fd00::7"];
const found = (of: Parameters<typeof serviceAddresses>[0], nodes: readonly string[] = NODES) =>
  serviceAddresses(of, PORT, () => nodes);

it("a load balancer's are its addresses and host names, at the Service's own port", () => {
  expect(found(service("LoadBalancer", [{ ip: "192.0.2.1" }, { hostname: "lb.example.com" }]))).toEqual({
    kind: "found",
    addresses: ["192.0.2.1", "lb.example.com"],
    port: PORT,
  });
});

it("a node port's are those of the nodes that gateways run on, at the node's port", () => {
  expect(found(service("NodePort"))).toEqual({ kind: "found", addresses: NODES, port: 31_443 });
});

it("what will have one is waited for, and no more than that", () => {
  expect(found(service("LoadBalancer"))).toMatchObject({ kind: "pending" });
  expect(found(service("NodePort"), [])).toMatchObject({ kind: "pending" });
  expect(found(undefined)).toMatchObject({ kind: "none", message: "does not exist" });
  expect(found(service("ClusterIP"))).toMatchObject({
    kind: "none",
    message: expect.stringContaining("ClusterIP"),
  });
  expect(found(service("NodePort", [], { port: 1 }))).toMatchObject({ kind: "none" });
  expect(found(service("NodePort", [], { protocol: "UDP" }))).toMatchObject({ kind: "none" });
});
