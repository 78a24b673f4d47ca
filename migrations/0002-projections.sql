-- Projections: what holds now, derived from the fold. Rebuilt from the archive at any time; never a source of truth.
-- Names sort by bytes (collate "C"), as they do in the programs that page over the same rows in memory.
-- epoch, seq: the record that set the register. position: the archive position of the commit that did it.

create table source (
  account text collate "C" primary key,
  cluster text collate "C" not null
);
create index source_cluster on source (cluster);

create table cluster (
  name text collate "C" primary key,
  account text collate "C" not null,
  trust_domain text collate "C" not null,
  region text collate "C" not null,
  network text collate "C" not null,
  state text collate "C" not null,
  incarnation bigint not null,
  degraded boolean not null,
  value jsonb not null,
  position bigint not null
);

create table service (
  cluster text collate "C" not null,
  namespace text collate "C" not null,
  name text collate "C" not null,
  exported boolean not null,
  effective boolean not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, namespace, name)
);
create index service_name on service (namespace, name, cluster);

create table load (
  cluster text collate "C" not null,
  namespace text collate "C" not null,
  name text collate "C" not null,
  port text collate "C" not null,
  region text collate "C" not null,
  zone text collate "C" not null,
  effective boolean not null,
  healthy integer not null,
  total integer not null,
  desired integer not null,
  weight integer not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, namespace, name, port, region, zone)
);

create table gateway (
  cluster text collate "C" not null,
  name text collate "C" not null,
  effective boolean not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, name)
);

create table endpoint (
  cluster text collate "C" not null,
  namespace text collate "C" not null,
  service text collate "C" not null,
  id text collate "C" not null,
  effective boolean not null,
  ready boolean not null,
  address text collate "C" not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, namespace, service, id)
) with (fillfactor = 80);
create index endpoint_service on endpoint (namespace, service, cluster, id);

create table identity (
  cluster text collate "C" not null,
  namespace text collate "C" not null,
  service_account text collate "C" not null,
  effective boolean not null,
  spiffe_id text collate "C" not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, namespace, service_account)
);

create table trust_bundle (
  cluster text collate "C" primary key,
  trust_domain text collate "C" not null,
  effective boolean not null,
  sequence bigint not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null
);

create table link (
  cluster text collate "C" not null,
  peer text collate "C" not null,
  effective boolean not null,
  state text collate "C" not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, peer)
);

create table policy (
  cluster text collate "C" not null,
  kind text collate "C" not null,
  namespace text collate "C" not null,
  name text collate "C" not null,
  effective boolean not null,
  value jsonb not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  position bigint not null,
  primary key (cluster, kind, namespace, name)
);
