-- An older copy can be put back without another server or timeline showing it (docs/decisions/0020): the files, which needs a start
-- of the server, or the rows, by a dump that is restored in place.
alter table incarnation
  -- When the server was started that positions were last raised for; see next_cut().
  add column started timestamptz,
  -- The transaction that wrote this row: a row that was restored says another's.
  add column written xid8;

create function incarnation_written() returns trigger language plpgsql as $$
begin
  new.written := pg_current_xact_id();
  return new;
end $$;
create trigger written before update on incarnation for each row execute function incarnation_written();
update incarnation set epoch = epoch;

-- The position of a cut. What the server gave out before its start may be lost, with sessions that still have credentials. So the
-- first cut after each start raises the positions to the time, in microseconds since 1970: no server has given out one a microsecond.
create function next_cut() returns bigint language plpgsql as $$
begin
  if (select started is not distinct from pg_postmaster_start_time() from incarnation) then
    return nextval('positions');
  end if;
  -- Whoever comes second waits here for the first, and finds nothing to do.
  update incarnation set started = pg_postmaster_start_time()
    where started is distinct from pg_postmaster_start_time();
  if found then
    perform setval('positions',
      greatest(1000000 + nextval('positions'), (extract(epoch from clock_timestamp()) * 1000000)::bigint));
  end if;
  return nextval('positions');
end $$;
