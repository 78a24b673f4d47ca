-- Where the hub that leads answers other replicas: https://host:port, '' where it announces nothing. A hint and no right:
-- who leads is said by the lock and the epoch, and who answers there is proved by the hub's own CA.
alter table archive add column leader_url text not null default '';
