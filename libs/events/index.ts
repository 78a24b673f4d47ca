/** @hansa/events: the shapes of the log, their codecs, signatures and the writer. Pure. */
export * from "./src/command.ts";
export * from "./src/decode.ts";
export * from "./src/digest.ts";
export * from "./src/event.ts";
export * from "./src/evidence.ts";
export { isLabelValue, isQualifiedName } from "./src/export-value.ts";
export * from "./src/genesis.ts";
export * from "./src/heartbeat.ts";
export * from "./src/keys.ts";
export * from "./src/limits.ts";
export * from "./src/log-bus.ts";
export * from "./src/membership.ts";
export * from "./src/record.ts";
export * from "./src/registers.ts";
export * from "./src/upcast.ts";
export * from "./src/writer/epochs.ts";
export * from "./src/writer/lane-writer.ts";
export * from "./src/writer/types.ts";
