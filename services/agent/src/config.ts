/** The agent's configuration file: shape, defaults and every check. Reads no file and starts nothing. */
import { isIP, SocketAddress } from "node:net";
import { HansaError, isLabel, parseClusterName } from "@hansa/core";
import { cidrOf, INBOUND, ipv4CidrOf } from "@hansa/inject";
import { parseCidr } from "@hansa/model";
import { parse } from "yaml";
import { z } from "zod";
import { overlap, parsePool } from "./mcs/ip-pool.ts";
import { problemsOf } from "./source/problems.ts";

const port = z.number().int().min(1).max(65_535);
const label = z.string().refine(isLabel, "must be a lower-case RFC 1123 label");

/** As the API server takes them of load balancers; no IP address looks like one. */
const isHostName = (text: string): boolean =>
  text.length <= 253 && text.split(".").length > 1 && text.split(".").every(isLabel) && /[a-z]/.test(text);

const isNameServer = (text: string): boolean => isIP(text) !== 0 || SocketAddress.parse(text) !== undefined;

const cidr = z.string().refine((text) => parseCidr(text) !== undefined, "must be an address range (CIDR)");

const ipv4Range = z.string().refine((text) => ipv4CidrOf(text) !== undefined, "must be an IPv4 range");

/** Proxies in pods: how they come to this agent, and how sidecars come to be. */
const sidecars = z.strictObject({
  /** By which pods reach the agent: `<service>.<namespace>.svc`, or an address. */
  host: z.string().min(1),
  /** Where proxies of pods get their configuration, by TLS. */
  listen: z.strictObject({ host: z.string().min(1), port: port.default(15_010) }),
  /** The mutating webhook; the API server reaches it as `advertised`, or as pods do. Absent: nobody is injected. */
  webhook: z
    .strictObject({
      host: z.string().min(1),
      port: port.default(15_017),
      advertised: z.string().min(1).optional(),
    })
    .optional(),
  proxyImage: z.string().min(1),
  rulesImage: z.string().min(1),
  /** Left alone by every pod's proxy, e.g. the API server's. */
  excludeOutboundCidrs: z
    .array(z.string().refine((text) => cidrOf(text) !== undefined, "must be an address range"))
    .max(64)
    .default([]),
  /** What their pods take past mTLS, where neither pod nor namespace says (hansa.dev/inbound). */
  inbound: z.enum(INBOUND).default("permissive"),
  /** Of this cluster's pods and nodes, and of no other's: from there a permissive sidecar takes plain text. None: from nobody. */
  neighbourCidrs: z
    .array(ipv4Range.refine((range) => !range.endsWith("/0"), "is everybody's, not this cluster's alone"))
    .max(64)
    .refine(
      (ranges) => !ranges.some((range, at) => ranges.slice(0, at).some((other) => overlap(range, other))),
      "must be ranges that do not overlap",
    )
    .default([]),
});

/** Services, endpoints and exports of the Kubernetes cluster that the agent belongs to. */
const kubernetes = z
  .strictObject({
    /** Without both: the pod's own service account. */
    kubeconfig: z.string().min(1).optional(),
    context: z.string().min(1).optional(),
    /** Whom a ServiceExport is for that does not name anybody. */
    exportTo: z.enum(["all", "none"]).default("all"),
    /** Where imported services get their addresses: one range per family, outside every other network. */
    clusterSetIps: z.array(cidr).min(1).max(2),
    /** No address of these is given to an import. */
    serviceCidrs: z.array(cidr).max(8).default([]),
    /** For which imports EndpointSlices are written: their addresses are of use where the networks are flat. */
    endpointSlices: z.enum(["all", "headless", "none"]).default("all"),
    /**
     * Gateway mode: pods without a proxy are called through this cluster's gateway, which ends mTLS for them and admits all
     * pods of the clusters that they are exported to, and call imports through it, at this address of it, or those of the pods
     * behind this Service (default: HANSA_POD_IP, the agent's own).
     */
    gatewayMode: z
      .strictObject({
        entryAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
        entryService: z.strictObject({ namespace: label, name: label }).optional(),
      })
      .optional(),
    /** Of the Lease by which the writer is elected; default: the pod's or the context's. */
    leaseNamespace: label.optional(),
    /** Absent: no proxy in a pod is served. */
    sidecars: sidecars.optional(),
  })
  .superRefine(({ clusterSetIps, serviceCidrs }, context) => {
    for (const [index, range] of clusterSetIps.entries()) {
      const complain = (message: string) =>
        context.addIssue({ code: "custom", path: ["clusterSetIps", index], message });
      const pool = parsePool(range);
      if (pool === undefined) complain("holds no address that could be given to a service");
      if (clusterSetIps.slice(0, index).some((other) => parsePool(other)?.family === pool?.family))
        complain("is a second range of its family");
      const service = serviceCidrs.find((other) => overlap(range, other));
      if (service !== undefined) complain(`overlaps the Service range ${service}`);
    }
  });

const source = z
  .strictObject({ file: z.string().min(1).optional(), kubernetes: kubernetes.optional() })
  .refine(
    (given) => (given.file === undefined) !== (given.kubernetes === undefined),
    "must be either `file` or `kubernetes`: an agent has one source",
  );

const host = z
  .string()
  .refine(
    (text) => isIP(text) !== 0 || isHostName(text),
    "must be an IP address, or a host name with a domain in lower case",
  );

/** Where other clusters dial the cluster's gateway, and where it listens. */
const gateway = z
  .strictObject({
    name: label,
    /** One of these three. Host names are resolved again and again. */
    address: host.optional(),
    addresses: z.array(host).min(1).max(8).optional(),
    /** Of Kubernetes: its load balancer's addresses, or those of the nodes that it runs on. */
    service: z.strictObject({ namespace: label, name: label }).optional(),
    port,
    /** Where it listens, if that is another: behind a load balancer. */
    listen: z.union([z.ipv4(), z.ipv6()], "must be an IP address").optional(),
    /** Its Envoys are the pods that run as this account of the agent's own namespace. Absent: one is beside the agent. */
    serviceAccount: label.optional(),
  })
  .superRefine(({ address, addresses, service, listen }, context) => {
    const complain = (message: string) => context.addIssue({ code: "custom", message });
    if ([address, addresses, service].filter((one) => one !== undefined).length !== 1)
      complain("give address, addresses or service, one of them");
    else if (listen === undefined && isIP(address ?? "") === 0)
      complain("listen: is needed where the gateway is not dialled at one IP address of its own");
  });

const schema = z
  .strictObject({
    cluster: z
      .string()
      .refine((name) => parseClusterName(name) !== undefined, "must be a free cluster name (RFC 1123 label)"),
    /** Keys, certificates, outbox and snapshots. Made with mode 0700. */
    dataDir: z.string().min(1),
    /** Unix sockets of the proxies. Short: a socket's path has at most 107 bytes. */
    socketDir: z.string().min(1),
    source,
    region: label,
    zones: z.array(label).min(1).max(16),
    network: label.default("default"),
    /** What the join asks for. */
    namespaces: z.array(z.string()).min(1).max(1000).default(["*"]),
    cidrs: z.array(z.string()).min(1).max(64),
    claims: z.array(z.string()).max(64).default([]),
    hub: z.strictObject({
      url: z.url({ protocol: /^https$/ }),
      /** PEM of the hub API's CA. Without it the one is fetched that the join token's pin names. */
      caPem: z.string().optional(),
    }),
    /** Needed at the first start only. */
    joinToken: z.string().min(1).optional(),
    joinTokenFile: z.string().min(1).optional(),
    nats: z.strictObject({
      servers: z.array(z.string().min(1)).min(1).max(16),
      caPem: z.string().optional(),
    }),
    admin: z.strictObject({
      host: z.string().min(1),
      port,
      /** Bearer tokens by their SHA-256 (hex), beside the one of role admin that the agent makes in dataDir/keys/admin.token. */
      tokens: z
        .array(
          z.strictObject({
            name: z.string().min(1).max(100),
            role: z.enum(["viewer", "operator", "admin"]),
            sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
          }),
        )
        .max(1000)
        .default([]),
    }),
    gateway,
    /** Asked for the gateway's host names, as address or address:port; absent: the machine's. */
    nameServers: z
      .array(z.string().refine(isNameServer, "must be an IP address, with a port or without"))
      .min(1)
      .max(8)
      .optional(),
    sidecar: z
      .strictObject({
        outboundPort: port.default(15_001),
        /** First local port of TCP services, allocated per cluster and kept. */
        tcpPortFirst: port.default(16_000),
        adminPort: port.default(15_000),
      })
      .prefault({}),
    /** DNS for `clusterset.local`; absent: none. One address each where an asker expects the answer from where it asked. */
    dns: z
      .strictObject({
        listen: z
          .array(
            z.strictObject({
              host: z.union([z.ipv4(), z.ipv6()], "must be an IP address"),
              port: port.default(53),
            }),
          )
          .min(1)
          .max(8),
      })
      .optional(),
    logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  })
  .refine(
    ({ source: { kubernetes: kube }, gateway: { service } }) => service === undefined || kube !== undefined,
    { path: ["gateway", "service"], message: "is of Kubernetes; with a file, give address or addresses" },
  )
  .refine(
    ({ source: { kubernetes: kube }, gateway: { serviceAccount } }) =>
      serviceAccount === undefined || kube?.sidecars !== undefined,
    {
      path: ["gateway", "serviceAccount"],
      message: "needs source.kubernetes.sidecars: pods come by its door",
    },
  );

export type AgentConfig = z.infer<typeof schema>;

/** Addresses and host names at which others dial the gateway; undefined: its Service says. */
export const gatewayAddresses = ({
  address,
  addresses,
}: AgentConfig["gateway"]): readonly string[] | undefined => (address === undefined ? addresses : [address]);

/** Throws HSA1004 with every problem and its place. */
export function parseConfig(text: string, where: string): AgentConfig {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new HansaError("HSA1004", `${where}: not YAML or JSON: ${(error as Error).message}`);
  }
  const result = schema.safeParse(document);
  if (!result.success) throw new HansaError("HSA1004", `${where}: ${problemsOf(result.error).join("; ")}`);
  return result.data;
}
