/** Everything that an agent needs before it can be composed: credentials, keys, membership, the bus. */
import { join } from "node:path";
import { connectBus } from "@hansa/bus";
import { openKeyStore } from "@hansa/identity";
import { Agent, type AgentPorts } from "./agent.ts";
import type { AgentConfig } from "./config.ts";
import { folderDisk } from "./disk.ts";
import { busIdentity, clusterAuthority, logSigner } from "./identity/keys.ts";
import { ensureMembership } from "./join.ts";
import { openKube } from "./kube-door.ts";

/** Makes keys at the first start, joins with the token, and answers an agent that is ready to start. */
export async function createAgent(
  config: AgentConfig,
  ports: AgentPorts,
  joinToken: string | undefined,
): Promise<Agent> {
  const { kubernetes } = config.source;
  const door =
    kubernetes === undefined ? undefined : await openKube(kubernetes, ports, folderDisk(config.dataDir));
  const store = openKeyStore(join(config.dataDir, "keys"));
  const identity = busIdentity(store);
  const membership = await ensureMembership(
    { config, store, signer: logSigner(store), bus: identity, ports },
    joinToken,
  );
  const authority = clusterAuthority(store, membership.trustDomain, ports);
  const bus = await connectBus({
    servers: config.nats.servers,
    account: identity.accountKey,
    creds: { jwt: membership.userJwt, seed: identity.userSeed },
    name: `agent ${config.cluster}`,
    log: ports.log,
    timers: ports.timers,
    random: ports.random,
    ...(config.nats.caPem === undefined ? {} : { caPem: config.nats.caPem }),
  });
  return new Agent({ config, ports, store, membership, authority, bus, door });
}
