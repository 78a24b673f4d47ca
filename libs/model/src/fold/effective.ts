/** Reading the fold with the rules of effect.ts, quotas and freezes applied. */
import type { Standing } from "./effect.ts";
import { exportRefusal, hubRefusal, memberRefusal, type Refusal } from "./effect.ts";
import type { Source } from "./source.ts";
import type { RegisterView } from "./types.ts";
import { isCounted, QUOTA_OF, type World } from "./world.ts";

/** null for clusters whose facts have no effect on others. */
export function standingOf(world: World, cluster: string): Standing | null {
  const known = world.standings.get(cluster);
  if (known !== undefined) return known;
  const standing = isPresent(world, cluster) ? ownStandingOf(world, cluster) : null;
  world.standings.set(cluster, standing);
  return standing;
}

/** What a cluster is to itself, also after it has left or was evicted: its own mesh goes on. */
function ownStandingOf(world: World, cluster: string): Standing | null {
  const member = world.members.get(cluster);
  if (member === undefined) return null;
  const known = world.ownStandings.get(cluster);
  if (known?.membership === member.membership) return known.standing;
  const { trustDomain, membership } = member;
  const standing = { cluster, trustDomain, grant: membership.grant, lab: world.genesis.lab };
  world.ownStandings.set(cluster, { membership, standing });
  return standing;
}

function isPresent(world: World, cluster: string): boolean {
  const state = world.members.get(cluster)?.state;
  return state === "active" || state === "draining";
}

/** Why a register has no effect; undefined where it has. */
export function refusalOf(
  world: World,
  source: Source,
  view: RegisterView,
  observer: string | undefined,
): Refusal | undefined {
  if (source === world.hub) return hubRefusal(view);
  const own = observer === source.cluster;
  const standing = own ? ownStandingOf(world, source.cluster) : standingOf(world, source.cluster);
  if (standing === null)
    return { code: "HSA3010", message: `${view.key}: ${source.cluster} has left or was evicted` };
  if (world.sourceOf(source.cluster) !== source)
    return { code: "HSA3010", message: `${view.key}: ${source.cluster} has joined anew since` };
  return memberRefusal(view, standing, own) ?? quotaRefusal(world, source, view, standing);
}

function quotaRefusal(
  world: World,
  source: Source,
  view: RegisterView,
  standing: Standing,
): Refusal | undefined {
  const { type, key } = view;
  if (!isCounted(type)) return undefined;
  const index = world.quotas.get(`${source.account} ${type}`);
  if (index === undefined || index.has(key)) return undefined;
  const quota = standing.grant.quotas[QUOTA_OF[type]];
  return { code: "HSA3006", message: `${key}: beyond the quota of ${quota} ${QUOTA_OF[type]}` };
}

export function effect<View extends RegisterView>(
  world: World,
  cluster: string,
  view: View,
  observer: string | undefined,
): View | undefined {
  const source = world.sourceOf(cluster);
  if (source === undefined || refusalOf(world, source, view, observer) !== undefined) return undefined;
  if (view.type === "BundleSet" && source.frozen !== undefined)
    return (source.frozen.bundle ?? undefined) as View | undefined;
  if (view.type !== "ServiceSet" || source === world.hub) return view;
  const standing = standingOf(world, cluster);
  if (standing !== null && exportRefusal(view, standing) === undefined) return view;
  // Others see nothing of it; its own cluster keeps the service without the export.
  return observer === cluster ? { ...view, value: { ...view.value, export: null } } : undefined;
}
