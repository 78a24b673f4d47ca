/** @hansa/core: names, errors and ports. Pure; imports nothing. */
export * from "./src/bytes.ts";
export * from "./src/canonical.ts";
export * from "./src/codes.ts";
export * from "./src/error.ts";
export * from "./src/ids.ts";
export * from "./src/ports.ts";
export * from "./src/runtime.ts";
