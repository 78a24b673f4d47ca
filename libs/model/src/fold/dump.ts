/** The fold as JSON and back: for an agent's disk snapshot and for the hub. Parked records are left out: they show as gaps. */
import type { Genesis } from "@hansa/events";
import type { MembersDump } from "./members.ts";
import type { OperatorsDump } from "./operators.ts";
import type { SourceDump } from "./source.ts";
import { settleTrust } from "./trust.ts";
import type { FederationOptions, Finding } from "./types.ts";
import { World } from "./world.ts";

const FORMAT = 2;

export interface FederationDump {
  readonly format: number;
  readonly fingerprint: string;
  readonly genesis: Genesis;
  readonly operators: OperatorsDump;
  readonly members: MembersDump;
  readonly sources: readonly SourceDump[];
  readonly quarantine: readonly Finding[];
  readonly dirtyMemberships: readonly string[];
}

export const dumpWorld = (world: World): FederationDump => ({
  format: FORMAT,
  fingerprint: world.fingerprint,
  genesis: world.genesis,
  operators: world.book.dump(),
  members: world.members.dump(),
  sources: [...world.sources.values()].map((source) => source.dump()),
  quarantine: world.quarantine,
  dirtyMemberships: [...world.dirtyMemberships],
});

/** The file is this process's own, so it is trusted; a torn or foreign one is undefined, never half a fold. */
export function restoreWorld(dump: unknown, options: FederationOptions): World | undefined {
  const from = dump as Partial<FederationDump> | null;
  const world = new World(options);
  if (from?.format !== FORMAT || from.fingerprint !== world.fingerprint) return undefined;
  try {
    fill(world, from as FederationDump);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  return world;
}

function fill(world: World, from: FederationDump): void {
  world.book.restore(from.operators);
  world.members.restore(from.members);
  for (const dump of from.sources) {
    const source = world.addSource(dump.account, dump.cluster);
    const keys = source === world.hub ? world.members.hubKeys() : world.members.keysOf(source.cluster);
    source.keys.set(keys);
    source.restore(dump);
  }
  world.quarantine.push(...from.quarantine);
  // Trust was settled when it was written; settling it again would only repeat every signature check.
  world.changes = new Map();
  world.dirtyCommands.clear();
  world.dirtyMemberships.clear();
  for (const cluster of from.dirtyMemberships) world.dirtyMemberships.add(cluster);
  settleTrust(world);
  world.changes = new Map();
}
