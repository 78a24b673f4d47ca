/** Where a lab keeps its things: one state folder and one short folder of sockets per checkout, both 0700. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { root } from "./paths.mjs";

const id = createHash("sha256").update(root).digest("hex").slice(0, 12);

export interface LabPaths {
  readonly state: string;
  /** Unix socket paths are limited to 107 bytes, so sockets live apart from the state. */
  readonly sockets: string;
  readonly control: string;
  readonly logs: string;
  readonly topology: string;
  readonly credentials: string;
  readonly supervisorLog: string;
}

export function labPaths(): LabPaths {
  const state =
    process.env.HANSA_LAB_STATE ??
    join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local/state"), "hansa", id);
  const sockets = join(
    tmpdir(),
    `hansa-${userInfo().uid}-${createHash("sha256").update(state).digest("hex").slice(0, 8)}`,
  );
  return {
    state,
    sockets,
    control: join(sockets, "lab.sock"),
    logs: join(state, "logs"),
    topology: join(state, "topology.yaml"),
    credentials: join(state, "credentials.json"),
    supervisorLog: join(state, "lab.log"),
  };
}

export function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}
