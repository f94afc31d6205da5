-- A database can go back under its nodes: a standby that lacks the last commits takes over, or a copy is restored. The history up
-- to then, and from then on, is an epoch (docs/decisions/0020).
create table incarnation (
  one      boolean primary key default true check (one),
  -- '<number>.<random>'; the number grows.
  epoch    text not null,
  -- What database_identity() said when the epoch was recorded; null until the first node starts.
  identity text,
  -- Whoever was fresh before the epoch is so no longer, and whoever may be fresh is in nodes.
  settled  boolean not null
);
insert into incarnation (epoch, settled) values ('1.' || left(replace(gen_random_uuid()::text, '-', ''), 12), true);

-- Server, timeline and database. A managed service may keep one of the first two from us; whatever else fails is an error, as
-- on a standby.
create function database_identity() returns text language plpgsql as $$
declare
  server text := '';
  timeline text := '';
begin
  begin
    server := (select system_identifier from pg_control_system());
  exception when insufficient_privilege or undefined_function or feature_not_supported then null;
  end;
  begin
    timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  exception when insufficient_privilege or undefined_function or feature_not_supported then null;
  end;
  return server || '.' || timeline || '.' || (select oid from pg_database where datname = current_database());
end $$;
