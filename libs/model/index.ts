/** @hansa/model: the fold of all logs and the decisions taken from it. Pure. */
export * from "./src/fold/federation.ts";
export * from "./src/fold/types.ts";
