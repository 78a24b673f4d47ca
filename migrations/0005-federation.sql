-- Whose archive this is. One row, written by the first hub that starts on the database.
create table federation (
  id smallint primary key default 1 check (id = 1),
  fingerprint text not null
);
