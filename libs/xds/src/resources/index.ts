/** What the generator offers to the agent. */
export * from "./names.ts";
export type * from "./types.ts";
