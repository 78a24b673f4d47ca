/**
 * A kubelet speaks plain text from outside the mesh, which an intercepted port refuses. So its probes and hooks are asked
 * of the proxy's own port instead, and each is answered by what the application says: HTTP is passed on, TCP and gRPC are
 * health checks of the proxy (a proxy accepts any connection, so passing those on would prove nothing).
 */
import { PROBE_PORT } from "./names.ts";
import { type Container, type Handler, HOOKS, type Pod, PROBES } from "./pod.ts";

export interface AppProbe {
  /** On the proxy's port. */
  readonly path: string;
  readonly port: number;
  readonly asks:
    | {
        readonly kind: "http";
        readonly path: string;
        readonly tls: boolean;
        /** The probe names its host itself. */
        readonly ownHost: boolean;
      }
    | { readonly kind: "tcp" }
    | { readonly kind: "grpc"; readonly service: string };
}

export interface Rewritten {
  /** Place in the pod, as a JSON pointer → what stands there from now on. */
  readonly replaced: ReadonlyMap<string, Handler>;
  readonly probes: readonly AppProbe[];
  readonly problems: readonly string[];
}

export function rewriteProbes({ spec }: Pod): Rewritten {
  const replaced = new Map<string, Handler>();
  const probes: AppProbe[] = [];
  const problems: string[] = [];
  const rewrite = (
    container: Container,
    handler: Handler | null | undefined,
    pointer: string,
    name: string,
  ): void => {
    if (handler === undefined || handler === null) return;
    const path = `/app/${container.name}/${name}`;
    const read = probeOf(container, handler, path);
    if (typeof read === "string") problems.push(`${pointer.slice(1).replaceAll("/", ".")}: ${read}`);
    if (typeof read !== "object") return;
    probes.push(read);
    replaced.set(pointer, redirected(handler, path));
  };
  for (const place of ["initContainers", "containers"] as const)
    for (const [index, container] of (spec[place] ?? []).entries()) {
      const pointer = `/spec/${place}/${index}`;
      for (const name of PROBES) rewrite(container, container[name], `${pointer}/${name}`, name);
      for (const name of HOOKS)
        rewrite(container, container.lifecycle?.[name], `${pointer}/lifecycle/${name}`, name);
    }
  return { replaced, probes, problems };
}

/** undefined: not asked of this pod's network; a text: why it cannot be asked. */
function probeOf(container: Container, handler: Handler, path: string): AppProbe | string | undefined {
  const [httpGet, tcpSocket, grpc] = [handler.httpGet, handler.tcpSocket, handler.grpc].map(
    (each) => each ?? undefined,
  ) as [Handler["httpGet"], Handler["tcpSocket"], Handler["grpc"]];
  if ((httpGet ?? tcpSocket)?.host) return undefined;
  const named = httpGet?.port ?? tcpSocket?.port ?? grpc?.port;
  if (named === undefined) return undefined;
  const port = portOf(container, named);
  if (port === undefined) return `no container port is named ${JSON.stringify(named)}`;
  if (httpGet !== undefined) {
    const ownHost = httpGet.httpHeaders?.some(({ name }) => name.toLowerCase() === "host") === true;
    const asked = httpGet.path?.startsWith("/") === true ? httpGet.path : `/${httpGet.path ?? ""}`;
    const tls = httpGet.scheme?.toUpperCase() === "HTTPS";
    return { path, port, asks: { kind: "http", path: asked, tls, ownHost } };
  }
  if (grpc !== undefined) return { path, port, asks: { kind: "grpc", service: grpc.service ?? "" } };
  return { path, port, asks: { kind: "tcp" } };
}

function portOf({ ports }: Container, port: number | string): number | undefined {
  if (typeof port === "number") return port;
  return /^[0-9]+$/.test(port) ? Number(port) : ports?.find(({ name }) => name === port)?.containerPort;
}

function redirected(handler: Handler, path: string): Handler {
  const { httpGet, tcpSocket: _tcp, grpc: _grpc, ...kept } = handler;
  const headers = httpGet?.httpHeaders === undefined ? {} : { httpHeaders: httpGet.httpHeaders };
  return { ...kept, httpGet: { path, port: PROBE_PORT, scheme: "HTTP", ...headers } };
}
