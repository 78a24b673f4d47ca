/**
 * Election among the agents of one cluster that share a folder: whoever holds the file lock writes. The kernel frees
 * it when its holder dies. Election gives progress; the bus's fence gives safety (design §3).
 */
import { DatabaseSync } from "node:sqlite";

export interface Election {
  /** True where this process is (or just became) the elected writer. */
  tryLock(): boolean;
  release(): void;
}

/** Node has no flock: an exclusive transaction of SQLite holds the lock until the process ends. */
export function fileElection(path: string): Election {
  let held: DatabaseSync | undefined;
  return {
    tryLock() {
      if (held !== undefined) return true;
      const database = new DatabaseSync(path);
      try {
        database.exec("pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive; commit;");
        held = database;
        return true;
      } catch {
        database.close();
        return false;
      }
    },
    release() {
      held?.close();
      held = undefined;
    },
  };
}

/** The lock guards the outbox of a folder; the Lease, asked for by its holder alone, elects among folders. */
export const bothElect = (lock: Election, lease: Election | undefined): Election => ({
  tryLock: () => lock.tryLock() && lease?.tryLock() !== false,
  release: () => {
    lease?.release();
    lock.release();
  },
});

/** For the simulator and tests: always elected. */
export const alwaysElected: Election = { tryLock: () => true, release: () => {} };
