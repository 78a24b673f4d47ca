/** What happens to the hub and its archive. */
import type { World } from "../federation-world.ts";

/** Begins now; ends after a while by itself, or when all faults end. */
export type HubFault = (world: World, durationMs: number) => void;

export const HUB_FAULTS: readonly HubFault[] = [
  // It dies right before or right after a write takes effect.
  ({ headquarters, kernel, random }, durationMs) => {
    headquarters.hubs[0]?.dieAtWrite(random.below(4), random.chance(0.5));
    kernel.schedule(durationMs, () => headquarters.startOne());
  },
  // Another one stands by, and takes over when the first one sleeps and loses its lock.
  ({ headquarters, kernel, random }, durationMs) => {
    if (headquarters.hubs.length !== 1) return;
    const [first] = headquarters.hubs;
    headquarters.start("hub beside it");
    if (random.chance(0.5)) first?.machine.pause();
    kernel.schedule(durationMs / 3, () => headquarters.server.forgetLeader());
    kernel.schedule((2 * durationMs) / 3, () => first?.machine.resume());
    kernel.schedule(durationMs, () => {
      const [one, other] = headquarters.hubs;
      if (one !== undefined && other !== undefined) headquarters.kill(random.chance(0.5) ? one : other);
    });
  },
  // The archive is away.
  ({ headquarters, kernel }, durationMs) => {
    headquarters.stopArchive();
    kernel.schedule(durationMs, () => headquarters.startArchive());
  },
  // It is slow, and answers get lost: what was decided is not known.
  ({ headquarters, kernel, random }, durationMs) => {
    headquarters.archiveFaults.delayMaxMs = random.float() * 300;
    headquarters.archiveFaults.loseAnswer = random.float() * 0.2;
    kernel.schedule(durationMs, () => headquarters.calmArchive());
  },
  // Operators put a member out, and let it in again.
  (world, durationMs) => {
    const cluster = world.present[world.random.below(world.present.length)];
    if (cluster === undefined) return;
    world.evict(cluster);
    world.kernel.schedule(durationMs, () => world.setMember(cluster, true));
  },
  // It is lost and restored from a backup.
  ({ headquarters, kernel }, durationMs) => {
    headquarters.restoreArchive();
    kernel.schedule(durationMs / 4, () => headquarters.startOne());
  },
];
