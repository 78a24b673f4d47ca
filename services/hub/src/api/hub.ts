/** The hub as the API sees it. */
import type { HubContext } from "../context.ts";
import type { Leader } from "../leader/leader.ts";
import type { Role } from "../leader/terms.ts";
import type { ArchiveReader } from "../read/archive-reader.ts";
import type { Commits } from "../read/commits.ts";

/** What routes may ask of the hub. */
export interface Hub extends HubContext {
  readonly reader: ArchiveReader;
  readonly commits: Commits;
  /** null where this hub does not lead. */
  readonly leader: Leader | null;
  readonly role: Role;
  readiness(): Promise<Readiness>;
}

export interface Readiness {
  readonly ready: boolean;
  readonly role: Role;
  readonly checks: Readonly<Record<"archive" | "bus" | "current", boolean>>;
}
