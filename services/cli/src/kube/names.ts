/** Whether `--context` names a context of Kubernetes. Loads nothing: every command asks this. */
import { existsSync } from "node:fs";

/** Unless a file of that name is there, or it is written as a path. */
export const isKubeContext = (value: unknown): value is string =>
  typeof value === "string" && !/^[./~]|\.json$/.test(value) && !existsSync(value);
