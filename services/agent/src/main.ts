/** Entry of the agent: `main.ts --config FILE`. Imports nothing before the process is as it is to be. */
import { settle } from "./memory.ts";

settle();
await import("./run.ts");
