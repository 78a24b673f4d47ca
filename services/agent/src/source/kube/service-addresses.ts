/** Where a Service is reached from outside its cluster: what its load balancer, or a node of its pods, says. Pure. */
import type { ServiceObject } from "./objects.ts";

export type ServiceAddresses =
  | { readonly kind: "found"; readonly addresses: readonly string[]; readonly port: number }
  /** It will have one: what was told of it before stays in force. */
  | { readonly kind: "pending"; readonly message: string }
  | { readonly kind: "none"; readonly message: string };

/** `nodes` = of the nodes that its pods run on: no other has to know them (`externalTrafficPolicy: Local`). */
export function serviceAddresses(
  service: ServiceObject | undefined,
  port: number,
  nodes: () => readonly string[],
): ServiceAddresses {
  if (service === undefined) return { kind: "none", message: "does not exist" };
  const { type, ports, loadBalancer } = service;
  const found = ports.find((one) => one.port === port && one.transport === "TCP");
  if (found === undefined) return { kind: "none", message: `has no TCP port ${port}` };
  if (type === "LoadBalancer")
    return loadBalancer.length === 0
      ? { kind: "pending", message: "has got no address from a load balancer yet" }
      : { kind: "found", addresses: loadBalancer, port };
  if (type !== "NodePort") return { kind: "none", message: `is of type ${type}: name addresses instead` };
  const addresses = nodes();
  return addresses.length === 0
    ? { kind: "pending", message: "has no pod that is ready and labelled hansa.dev/gateway" }
    : { kind: "found", addresses, port: found.nodePort ?? port };
}
