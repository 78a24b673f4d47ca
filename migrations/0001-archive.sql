-- The archive: what every source said, verbatim, for ever, and the hub's own counter over it.

-- One row: the fence of the leader and the archive's counter. Every commit locks it, so commits are in order.
create table archive (
  id smallint primary key default 1 check (id = 1),
  leader_epoch bigint not null default 0,
  position bigint not null default 0,
  committed_at timestamptz not null default 'epoch'
);
insert into archive default values;

-- One signed record. Its primary key is the dedupe. `position` is the counter after its last event.
create table record (
  source text collate "C" not null,
  lane text collate "C" not null check (lane in ('sum', 'ep')),
  epoch bigint not null check (epoch >= 0),
  seq bigint not null check (seq >= 1),
  hash text collate "C" not null,
  prev text collate "C" not null,
  signature text collate "C" not null,
  header jsonb not null,
  body bytea not null,
  via text collate "C" not null check (via in ('bus', 'http', 'own')),
  stream_seq bigint,
  position bigint not null,
  committed_at timestamptz not null,
  primary key (source, lane, epoch, seq)
);
create index record_position on record (position, source, lane, epoch, seq);
create index record_committed_at on record (committed_at, position);
create index record_prev on record (source, lane, prev);

create table event (
  position bigint not null,
  committed_at timestamptz not null,
  source text collate "C" not null,
  lane text collate "C" not null,
  epoch bigint not null,
  seq bigint not null,
  index smallint not null,
  type text collate "C" not null,
  v smallint not null,
  key text collate "C" not null,
  at_ms bigint not null,
  data jsonb,
  primary key (position, committed_at)
) partition by range (committed_at);
create index event_source on event (source, position);
create index event_key on event (key, position);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the archive is immutable: % on %', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger record_immutable before update or delete on record for each row execute function refuse_change();
create trigger record_no_truncate before truncate on record for each statement execute function refuse_change();
create trigger event_immutable before update or delete on event for each row execute function refuse_change();
create trigger event_no_truncate before truncate on event for each statement execute function refuse_change();

-- Row triggers are cloned to a partition, statement triggers are not.
create function ensure_event_partition(moment timestamptz) returns void language plpgsql as $$
declare
  month timestamp := date_trunc('month', moment at time zone 'UTC');
  name text := 'event_' || to_char(month, 'YYYY_MM');
begin
  if to_regclass(name) is not null then return; end if;
  execute format('create table %I partition of event for values from (%L) to (%L)',
    name, month || '+00', (month + interval '1 month') || '+00');
  execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
    name || '_no_truncate', name);
end $$;

-- Contiguous end of each archived log: everything up to it is committed, or its absence is declared in `gap`.
create table head (
  source text collate "C" not null,
  lane text collate "C" not null,
  epoch bigint not null,
  seq bigint not null,
  hash text collate "C" not null,
  primary key (source, lane)
);

create table gap (
  source text collate "C" not null,
  lane text collate "C" not null,
  after_epoch bigint not null,
  after_seq bigint not null,
  before_epoch bigint not null,
  before_seq bigint not null,
  noted_at timestamptz not null,
  closed text check (closed in ('filled', 'lost')),
  -- Where the archive stood when the gap was given up: a replay gives it up at the same place.
  closed_position bigint,
  primary key (source, lane, before_epoch, before_seq)
);

create table quarantine (
  id bigint generated always as identity primary key,
  source text collate "C" not null,
  lane text collate "C" not null,
  epoch bigint not null,
  seq bigint not null,
  hash text collate "C" not null,
  code text collate "C" not null,
  message text collate "C" not null,
  noted_at timestamptz not null,
  unique (source, lane, epoch, seq, hash)
);

create table checkpoint (
  id text collate "C" primary key,
  incarnation text collate "C" not null,
  stream_seq bigint not null,
  position bigint not null
);

-- State of the fold at a position, so that a past moment costs one snapshot and a tail.
create table snapshot (
  position bigint primary key,
  committed_at timestamptz not null,
  state bytea not null
);
