-- Account JWTs as the bus should hold them. `pushed` false: decided, but not yet taken by a NATS server. Accounts that a
-- member replaced stay here, suspended.
create table bus_account (
  account text collate "C" primary key,
  jwt text not null,
  pushed boolean not null default false
);
insert into bus_account (account, jwt) select account, account_jwt from member;
