/** @hansa/store: the archive and its projections in Postgres. The only importer of `pg` and `drizzle-orm`. */
export * from "./src/archive.ts";
export * from "./src/archive-fold.ts";
export * from "./src/chain.ts";
export * from "./src/commands.ts";
export type { Db, DbOptions, Queryable } from "./src/db.ts";
export * from "./src/events.ts";
export * from "./src/federation.ts";
export * from "./src/heads.ts";
export * from "./src/history.ts";
export type { Leadership } from "./src/leader.ts";
export * from "./src/project.ts";
export * from "./src/projector.ts";
export * from "./src/reads.ts";
export * from "./src/replay.ts";
export * as schema from "./src/schema.ts";
export { openStore, type Store } from "./src/store.ts";
export * from "./src/tokens.ts";
export {
  clearProjections,
  keyColumns,
  PROJECTION_TABLES,
  type ProjectionChanges,
  type ProjectionRow,
  type ProjectionTable,
} from "./src/upsert.ts";
