-- Each logout asks for it, and each read of the log. Which server and which database it is does not change while a connection is
-- open, and finding it out is most of the cost: once for each connection. The timeline does, when a standby takes over.
create or replace function database_identity() returns text language plpgsql as $$
declare
  place text := current_setting('curfew.database', true);
  timeline text := '';
begin
  if coalesce(place, '') = '' then
    place := '.' || (select oid from pg_database where datname = current_database());
    begin
      place := (select system_identifier from pg_control_system()) || place;
    exception when insufficient_privilege or undefined_function or feature_not_supported then null;
    end;
    perform set_config('curfew.database', place, false);
  end if;
  begin
    timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  exception when insufficient_privilege or undefined_function or feature_not_supported then null;
  end;
  return split_part(place, '.', 1) || '.' || timeline || '.' || split_part(place, '.', 2);
end $$;
