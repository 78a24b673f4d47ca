/** Services with EndpointSlices in a lab, made quickly, and the projection that an agent keeps of them. */
import { ENDPOINT_SLICES, type KubeClient, type KubeObject, SERVICES, type Target } from "@hansa/kube";

export interface Slice {
  readonly service: string;
  readonly endpoints: readonly { readonly address: string; readonly ready: boolean }[];
}

interface SliceObject extends KubeObject {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

export function projectSlice(object: KubeObject): Slice {
  const labels = object.metadata.labels as Readonly<Record<string, string>> | undefined;
  return {
    service: labels?.["kubernetes.io/service-name"] ?? "",
    endpoints: ((object as SliceObject).endpoints ?? []).map(({ addresses, conditions }) => ({
      address: addresses[0] ?? "",
      ready: conditions?.ready !== false,
    })),
  };
}

export const projectService = (object: KubeObject): { readonly name: string } => ({
  name: object.metadata.name,
});

/** `generation` changes the last endpoint's address. */
export const sliceBody = (name: string, endpoints: number, generation = 0): object => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name, labels: { "kubernetes.io/service-name": name } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: Array.from({ length: endpoints }, (_, index) => ({
    addresses: [
      `10.${index === endpoints - 1 ? 64 + (generation % 64) : 1}.${Math.floor(generation / 64) % 200}.${index}`,
    ],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${index % 10}`,
    zone: "a",
    targetRef: { kind: "Pod", namespace: "default", name: `${name}-${index}`, uid: `${name}-${index}-uid` },
  })),
});

export const serviceBody = (name: string): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { clusterIP: "None", ports: [{ name: "http", port: 80, protocol: "TCP" }] },
});

export const sliceNamed = (name?: string): Target => ({
  resource: ENDPOINT_SLICES,
  namespace: "default",
  name,
});
export const serviceNamed = (name?: string): Target => ({ resource: SERVICES, namespace: "default", name });

/** `names` through `make`, a few at once. Throws what the API server refuses. */
export async function each(names: readonly string[], make: (name: string) => Promise<void>): Promise<void> {
  const left = names.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const name of left) await make(name);
    }),
  );
}

export async function sure(
  client: KubeClient,
  request: Parameters<KubeClient["send"]>[0],
): Promise<KubeObject> {
  const answer = await client.send(request);
  if (!answer.ok)
    throw new Error(`${request.method} ${request.target.name ?? ""}: ${answer.problem.message}`);
  return answer.body as KubeObject;
}

export const createSlice = async (client: KubeClient, name: string, endpoints: number): Promise<void> =>
  void (await sure(client, { method: "POST", target: sliceNamed(), body: sliceBody(name, endpoints) }));

export const changeSlice = async (
  client: KubeClient,
  name: string,
  endpoints: number,
  generation: number,
): Promise<void> =>
  void (await sure(client, {
    method: "PUT",
    target: sliceNamed(name),
    body: sliceBody(name, endpoints, generation),
  }));

export const deleteSlice = async (client: KubeClient, name: string): Promise<void> =>
  void (await sure(client, { method: "DELETE", target: sliceNamed(name) }));
