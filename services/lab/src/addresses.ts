/**
 * Address plan of a lab: everything on loopback, one /16 per lab, one /24 per cluster, one address per replica, so that
 * ports are the same everywhere and an address tells who it is. 127.<lab>.<cluster>.<host>; cluster 0 is shared parts.
 */
import { createServer, type Server } from "node:net";
import { HansaError } from "@hansa/core";

export const PORTS = {
  app: 8080,
  envoyAdmin: 15_000,
  outbound: 15_001,
  inbound: 15_006,
  agentAdmin: 15_010,
  gateway: 15_443,
  hubApi: 15_020,
  nats: 4222,
  postgres: 5432,
} as const;

const HOST = { gateway: 1, agent: 2, firstReplica: 10 } as const;
const SHARED = { hub: 1, nats: 2, postgres: 3 } as const;
/** Port that marks a lab's /16 as taken for as long as its supervisor lives. */
const CLAIM_PORT = 15_099;
const LAB_FIRST = 16;
const LAB_LAST = 250;

export class AddressPlan {
  readonly lab: number;

  constructor(lab: number) {
    this.lab = lab;
  }

  readonly shared = (part: keyof typeof SHARED): string => `127.${this.lab}.0.${SHARED[part]}`;
  readonly gateway = (cluster: number): string => `127.${this.lab}.${cluster}.${HOST.gateway}`;
  readonly agent = (cluster: number): string => `127.${this.lab}.${cluster}.${HOST.agent}`;
  readonly replica = (cluster: number, index: number): string =>
    `127.${this.lab}.${cluster}.${HOST.firstReplica + index}`;
  readonly cidr = (cluster: number): string => `127.${this.lab}.${cluster}.0/24`;
}

/** Takes the first /16 that no other lab on this machine holds. Released when the returned server closes. */
export async function claimLab(): Promise<{ lab: number; claim: Server }> {
  for (let lab = LAB_FIRST; lab <= LAB_LAST; lab += 1) {
    const claim = await listen(`127.${lab}.255.1`, CLAIM_PORT);
    if (claim) return { lab, claim };
  }
  throw new HansaError("HSA6005", `all lab address ranges 127.${LAB_FIRST}–${LAB_LAST}.0.0/16 are taken`);
}

function listen(host: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen(port, host, () => resolve(server));
  });
}
