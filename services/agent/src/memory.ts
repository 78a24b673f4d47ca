/**
 * What an agent's process takes of memory beside its live objects. malloc, Node's loader and V8 read most settings as a
 * process begins, so the process begins once more with them, under its own pid: however an agent is started, they hold.
 * What an operator has set is left as it is. docs/performance.md says what each is worth.
 */
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

/** MiB. One half of the young generation; by default up to 64, and kept until the process is quiet. */
const YOUNG = "--max-semi-space-size";
const YOUNG_MIB = 4;
/** A full collection each time that live objects have grown by so much; by default they may double and more. */
const GROWTH_PERCENT = 30;
/** From a collection to the next one, which gives pages back, in a quiet process; by default 8 s. */
const GIVE_BACK_AFTER_MS = 2000;

const ENVIRONMENT = {
  // V8's and Node's own threads each have an arena, with free space of its own, up to eight per core.
  MALLOC_ARENA_MAX: "2",
  // Larger blocks are mapped one by one and leave with their owner; left alone, malloc raises the bound as it goes.
  MALLOC_MMAP_THRESHOLD_: "131072",
  MALLOC_TRIM_THRESHOLD_: "131072",
  // Code without types, and compiled: then what takes the types off, 20 MiB, is not loaded.
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../../node_modules/.cache/agent", import.meta.url)),
};

/** Returns in a process that has the settings. */
export function settle(): void {
  const { env, execArgv, execPath, argv } = process;
  const flags = [...execArgv, env.NODE_OPTIONS ?? ""].join(" ").includes(YOUNG)
    ? []
    : [`${YOUNG}=${YOUNG_MIB}`];
  if (flags.length > 0 || !Object.keys(ENVIRONMENT).every((name) => name in env))
    process.execve?.(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], {
      ...ENVIRONMENT,
      ...env,
    });
  // Read at each collection.
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString(`--gc-memory-reducer-start-delay-ms=${GIVE_BACK_AFTER_MS}`);
}
