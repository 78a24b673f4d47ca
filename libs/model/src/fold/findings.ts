/** Everything in the fold that has no effect or needs a person. Computed when asked: costs one pass over registers. */
import { LANES, type MembershipValue, type Position } from "@hansa/events";
import { disputes } from "./beats.ts";
import { exportRefusal, type Refusal } from "./effect.ts";
import { refusalOf, standingOf } from "./effective.ts";
import type { StoredRegister } from "./registers.ts";
import type { Source } from "./source.ts";
import { considerCommand } from "./trust.ts";
import type { Finding } from "./types.ts";
import { carriedBy, type World } from "./world.ts";

export function findings(world: World): Finding[] {
  const found: Finding[] = [];
  for (const finding of all(world)) {
    found.push(finding);
    if (found.length >= world.limits.findingsMax) break;
  }
  return found;
}

function* all(world: World): Iterable<Finding> {
  for (const source of world.sources.values()) yield* aboutSource(world, source);
  for (const { finding } of disputes(world)) yield finding;
  for (const account of world.parking.accounts())
    yield {
      code: "HSA2006",
      cluster: account,
      key: "",
      message: "its records are parked: no membership or key yet",
    };
  yield* world.quarantine;
  for (const source of world.sources.values()) yield* aboutRegisters(world, source);
}

function* aboutSource(world: World, source: Source): Iterable<Finding> {
  const { cluster, frozen, logs } = source;
  if (frozen !== undefined) {
    yield { code: "HSA2008", cluster, key: "", message: frozen.reason };
    if (source === world.hub && world.dirtyMemberships.size > 0)
      yield {
        code: "HSA3009",
        cluster,
        key: "",
        message: `memberships wait: ${[...world.dirtyMemberships].join(", ")}`,
      };
    const bundle = source.get("bundle");
    if (bundle !== undefined && !samePosition(bundle.position, frozen.bundle?.position))
      yield {
        code: "HSA3009",
        cluster,
        key: "bundle",
        message: "the bundle stays as it was before the equivocation",
      };
  }
  for (const lane of LANES)
    if (logs[lane].degraded !== "")
      yield {
        code: logs[lane].degraded.includes("HSA2007") ? "HSA2007" : "HSA2005",
        cluster,
        key: lane,
        message: logs[lane].degraded,
      };
}

const samePosition = (a: Position, b: Position | undefined): boolean =>
  a.epoch === b?.epoch && a.seq === b.seq;

function* aboutRegisters(world: World, source: Source): Iterable<Finding> {
  for (const lane of LANES)
    for (const register of source.logs[lane].registers.all()) {
      const refusal = aboutRegister(world, source, register);
      if (refusal !== undefined) yield { ...refusal, cluster: source.cluster, key: register.key };
    }
}

function aboutRegister(world: World, source: Source, register: StoredRegister): Refusal | undefined {
  const view = register.view;
  if (view === undefined) return undefined;
  const refusal = refusalOf(world, source, view, undefined);
  if (refusal !== undefined) return refusal;
  if (view.type === "MembershipSet") return aboutMembership(world, view.value, register.key);
  const standing = source === world.hub ? null : standingOf(world, source.cluster);
  const unexported = standing === null ? undefined : exportRefusal(view, standing);
  if (unexported !== undefined) return unexported;
  const carried = carriedBy(world, source, register);
  const considered = carried && considerCommand(world, carried);
  return considered?.kind === "refused" ? { code: "HSA3007", message: considered.message } : undefined;
}

function aboutMembership(world: World, value: MembershipValue, key: string): Refusal | undefined {
  const cluster = key.slice("membership/".length);
  const verdict = world.members.judge(cluster, value);
  return verdict.kind === "refused" ? { code: verdict.code, message: verdict.message } : undefined;
}
