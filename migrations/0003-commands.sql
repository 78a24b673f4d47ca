-- The hub's own side: what it decided, what it still has to say, and who may ask.

-- Command side of membership. A name stays pinned to its signing key after leave and evict.
create table member (
  cluster text collate "C" primary key,
  signing_key text collate "C" not null,
  account text collate "C" not null unique,
  incarnation bigint not null,
  state text collate "C" not null check (state in ('active', 'left', 'evicted')),
  membership jsonb not null,
  account_jwt text collate "C" not null,
  user_key text collate "C" not null,
  suspended boolean not null default false
);

-- Events for the hub's lane, removed when a record that carries them is archived.
create table outbox (
  id bigint generated always as identity primary key,
  event jsonb not null
);

-- Writer state of the hub's lane, see LaneWriter in @hansa/events.
create table own_lane (
  lane text collate "C" primary key,
  state jsonb not null
);

create table join_token (
  id text collate "C" primary key,
  secret_hash text collate "C" not null unique,
  cluster text collate "C" not null,
  granted jsonb not null,
  created_by text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);

create table api_token (
  id text collate "C" primary key,
  secret_hash text collate "C" not null unique,
  name text collate "C" not null,
  role text collate "C" not null check (role in ('agent', 'viewer', 'operator', 'admin')),
  cluster text,
  created_by text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Who asked for what. Immutable.
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  actor text collate "C" not null,
  action text collate "C" not null,
  subject text collate "C" not null,
  details jsonb not null
);
create trigger audit_immutable before update or delete on audit for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit for each statement execute function refuse_change();

-- Bundle Map for outsiders. A sequence never goes back, not even when the archive is rebuilt.
create table bundle_map (
  trust_domain text collate "C" primary key,
  sequence bigint not null,
  digest text collate "C" not null,
  bundle jsonb,
  map_sequence bigint not null
);
