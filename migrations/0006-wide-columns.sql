-- Columns that were narrower than what the log's own checks let through: one source's value could stop every commit.
-- A version goes up to 1 000 000, and a load's weight is any number.
alter table event alter column v type integer;
alter table load alter column weight type double precision;
