/** TLS with certificates of its own in front of an API server, which asks for the client's: certificates rotate without a restart. */
import { connect, createServer, type SecureContextOptions, type TLSSocket } from "node:tls";
import type { ServerCertificate } from "@hansa/identity";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";

export interface TlsBridge {
  readonly url: string;
  /** New certificates; every connection ends. */
  replace(own: ServerCertificate, clientCaPem: string): void;
  close(): Promise<void>;
}

const contextOf = ({ certPem, keyPem }: ServerCertificate, clientCaPem: string): SecureContextOptions => ({
  cert: certPem,
  key: keyPem,
  ca: clientCaPem,
});

export async function tlsBridge(
  cluster: KubeCluster,
  own: ServerCertificate,
  clientCaPem: string,
): Promise<TlsBridge> {
  const { hostname, port } = new URL(cluster.url);
  const open = new Set<TLSSocket>();
  const options = { ...contextOf(own, clientCaPem), requestCert: true, rejectUnauthorized: true };
  const server = createServer(options, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), ca: cluster.caPem });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  const end = (): void => {
    for (const socket of open) socket.destroy();
  };
  const listenPort = Number(port) + 10_001;
  await new Promise<void>((resolve) => server.listen(listenPort, hostname, resolve));
  return {
    url: `https://${hostname}:${listenPort}`,
    replace(next, nextClientCaPem) {
      server.setSecureContext(contextOf(next, nextClientCaPem));
      end();
    },
    async close() {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
