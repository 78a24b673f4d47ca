/**
 * The tables as drizzle sees them: definitions for reads. The SQL of migrations/ makes them; test/contract/store.spec.ts
 * checks that both agree. Meanings are documented beside the SQL.
 */
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from "drizzle-orm/pg-core";

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const count = (name: string) => bigint(name, { mode: "number" });
const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

export const archive = pgTable("archive", {
  id: smallint("id").primaryKey(),
  leaderEpoch: count("leader_epoch").notNull(),
  leaderUrl: text("leader_url").notNull(),
  position: count("position").notNull(),
  committedAt: moment("committed_at").notNull(),
});

const place = {
  source: text("source").notNull(),
  lane: text("lane").notNull(),
  epoch: count("epoch").notNull(),
  seq: count("seq").notNull(),
};

export const federation = pgTable("federation", {
  id: smallint("id").primaryKey(),
  fingerprint: text("fingerprint").notNull(),
});

export const record = pgTable(
  "record",
  {
    ...place,
    hash: text("hash").notNull(),
    prev: text("prev").notNull(),
    signature: text("signature").notNull(),
    header: jsonb("header").notNull(),
    body: bytea("body").notNull(),
    via: text("via").notNull(),
    streamSeq: count("stream_seq"),
    position: count("position").notNull(),
    committedAt: moment("committed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.source, table.lane, table.epoch, table.seq] })],
);

export const event = pgTable(
  "event",
  {
    position: count("position").notNull(),
    committedAt: moment("committed_at").notNull(),
    ...place,
    index: smallint("index").notNull(),
    type: text("type").notNull(),
    v: integer("v").notNull(),
    key: text("key").notNull(),
    atMs: count("at_ms").notNull(),
    data: jsonb("data"),
  },
  (table) => [primaryKey({ columns: [table.position, table.committedAt] })],
);

export const head = pgTable("head", { ...place, hash: text("hash").notNull() }, (table) => [
  primaryKey({ columns: [table.source, table.lane] }),
]);

export const gap = pgTable(
  "gap",
  {
    source: text("source").notNull(),
    lane: text("lane").notNull(),
    afterEpoch: count("after_epoch").notNull(),
    afterSeq: count("after_seq").notNull(),
    beforeEpoch: count("before_epoch").notNull(),
    beforeSeq: count("before_seq").notNull(),
    notedAt: moment("noted_at").notNull(),
    closed: text("closed"),
    closedPosition: count("closed_position"),
  },
  (table) => [primaryKey({ columns: [table.source, table.lane, table.beforeEpoch, table.beforeSeq] })],
);

export const quarantine = pgTable("quarantine", {
  id: count("id").primaryKey().generatedAlwaysAsIdentity(),
  ...place,
  hash: text("hash").notNull(),
  code: text("code").notNull(),
  message: text("message").notNull(),
  notedAt: moment("noted_at").notNull(),
});

export const checkpoint = pgTable("checkpoint", {
  id: text("id").primaryKey(),
  incarnation: text("incarnation").notNull(),
  streamSeq: count("stream_seq").notNull(),
  position: count("position").notNull(),
});

export const snapshot = pgTable("snapshot", {
  position: count("position").primaryKey(),
  committedAt: moment("committed_at").notNull(),
  state: bytea("state").notNull(),
});

export const source = pgTable("source", {
  account: text("account").primaryKey(),
  cluster: text("cluster").notNull(),
});

export const cluster = pgTable("cluster", {
  name: text("name").primaryKey(),
  account: text("account").notNull(),
  trustDomain: text("trust_domain").notNull(),
  region: text("region").notNull(),
  network: text("network").notNull(),
  state: text("state").notNull(),
  incarnation: count("incarnation").notNull(),
  degraded: boolean("degraded").notNull(),
  value: jsonb("value").notNull(),
  position: count("position").notNull(),
});

/** Which record set a register, and the archive position of the commit. */
const set = {
  epoch: count("epoch").notNull(),
  seq: count("seq").notNull(),
  atMs: count("at_ms").notNull(),
  position: count("position").notNull(),
};
const owner = { cluster: text("cluster").notNull() };
const effective = { effective: boolean("effective").notNull() };
const namespace = { namespace: text("namespace").notNull() };
const named = { ...namespace, name: text("name").notNull() };
const value = { value: jsonb("value").notNull() };

export const service = pgTable(
  "service",
  { ...owner, ...named, exported: boolean("exported").notNull(), ...effective, ...value, ...set },
  (table) => [primaryKey({ columns: [table.cluster, table.namespace, table.name] })],
);

export const load = pgTable(
  "load",
  {
    ...owner,
    ...named,
    port: text("port").notNull(),
    region: text("region").notNull(),
    zone: text("zone").notNull(),
    ...effective,
    healthy: integer("healthy").notNull(),
    total: integer("total").notNull(),
    desired: integer("desired").notNull(),
    weight: doublePrecision("weight").notNull(),
    ...set,
  },
  (table) => [
    primaryKey({
      columns: [table.cluster, table.namespace, table.name, table.port, table.region, table.zone],
    }),
  ],
);

export const gateway = pgTable(
  "gateway",
  { ...owner, name: text("name").notNull(), ...effective, ...value, ...set },
  (table) => [primaryKey({ columns: [table.cluster, table.name] })],
);

export const endpoint = pgTable(
  "endpoint",
  {
    ...owner,
    ...namespace,
    service: text("service").notNull(),
    id: text("id").notNull(),
    ...effective,
    ready: boolean("ready").notNull(),
    address: text("address").notNull(),
    ...value,
    ...set,
  },
  (table) => [primaryKey({ columns: [table.cluster, table.namespace, table.service, table.id] })],
);

export const identity = pgTable(
  "identity",
  {
    ...owner,
    ...namespace,
    serviceAccount: text("service_account").notNull(),
    ...effective,
    spiffeId: text("spiffe_id").notNull(),
    ...set,
  },
  (table) => [primaryKey({ columns: [table.cluster, table.namespace, table.serviceAccount] })],
);

export const trustBundle = pgTable("trust_bundle", {
  cluster: text("cluster").primaryKey(),
  trustDomain: text("trust_domain").notNull(),
  ...effective,
  sequence: count("sequence").notNull(),
  ...value,
  ...set,
});

export const link = pgTable(
  "link",
  {
    ...owner,
    peer: text("peer").notNull(),
    ...effective,
    state: text("state").notNull(),
    ...value,
    ...set,
  },
  (table) => [primaryKey({ columns: [table.cluster, table.peer] })],
);

export const policy = pgTable(
  "policy",
  { ...owner, kind: text("kind").notNull(), ...named, ...effective, ...value, ...set },
  (table) => [primaryKey({ columns: [table.cluster, table.kind, table.namespace, table.name] })],
);

export const member = pgTable("member", {
  cluster: text("cluster").primaryKey(),
  signingKey: text("signing_key").notNull(),
  account: text("account").notNull(),
  incarnation: count("incarnation").notNull(),
  state: text("state").notNull(),
  membership: jsonb("membership").notNull(),
  accountJwt: text("account_jwt").notNull(),
  userKey: text("user_key").notNull(),
  suspended: boolean("suspended").notNull(),
});

export const busAccount = pgTable("bus_account", {
  account: text("account").primaryKey(),
  jwt: text("jwt").notNull(),
  pushed: boolean("pushed").notNull(),
});

export const outbox = pgTable("outbox", {
  id: count("id").primaryKey().generatedAlwaysAsIdentity(),
  event: jsonb("event").notNull(),
});

export const ownLane = pgTable("own_lane", {
  lane: text("lane").primaryKey(),
  state: jsonb("state").notNull(),
});

export const joinToken = pgTable("join_token", {
  id: text("id").primaryKey(),
  secretHash: text("secret_hash").notNull(),
  cluster: text("cluster").notNull(),
  granted: jsonb("granted").notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  expiresAt: moment("expires_at").notNull(),
  usedAt: moment("used_at"),
  revokedAt: moment("revoked_at"),
});

export const apiToken = pgTable("api_token", {
  id: text("id").primaryKey(),
  secretHash: text("secret_hash").notNull(),
  name: text("name").notNull(),
  role: text("role").notNull(),
  cluster: text("cluster"),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  expiresAt: moment("expires_at"),
  revokedAt: moment("revoked_at"),
});

export const audit = pgTable("audit", {
  id: count("id").primaryKey().generatedAlwaysAsIdentity(),
  at: moment("at").notNull(),
  actor: text("actor").notNull(),
  action: text("action").notNull(),
  subject: text("subject").notNull(),
  details: jsonb("details").notNull(),
});

export const bundleMap = pgTable("bundle_map", {
  trustDomain: text("trust_domain").primaryKey(),
  sequence: count("sequence").notNull(),
  digest: text("digest").notNull(),
  bundle: jsonb("bundle"),
  mapSequence: count("map_sequence").notNull(),
});
