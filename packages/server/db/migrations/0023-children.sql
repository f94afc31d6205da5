-- What was begun through a login is found by the login, and by the login's application, not among all sessions of a user. Each index
-- reads the table once and holds those sessions alone, of which there is none before migration 0022.
create index user_sessions_of_login on user_sessions (login) where is_active and login is not null;
create index user_sessions_of_login_client on user_sessions (login_client, id) where is_active and login is not null;

-- By the index on the login: the user may have a thousand sessions.
create or replace function end_children() returns trigger language plpgsql as $$
declare
  ended uuid := coalesce(new.login, new.id);
begin
  if new.is_active or not old.is_active or new.ended_reason in ('idle_timeout', 'absolute_timeout') then
    return null;
  end if;
  -- An older node that still runs without a registration names no position, and would end or renew the login alone.
  if new.ended_position is null then
    raise exception using errcode = 'CF001', message = 'a node of an older version cannot end a login that others were begun through';
  end if;
  if new.ended_reason = 'renewed' then
    return null;
  end if;
  update user_sessions set is_active = false, ended_at = new.ended_at, ended_by = new.ended_by, ended_reason = new.ended_reason,
      ended_position = new.ended_position
    where id in (select id from user_sessions
      where login = ended and is_active and login_born < new.ended_position and id <> new.id
      order by id for update skip locked);
  if exists (select from user_sessions
    where login = ended and is_active and login_born < new.ended_position and id <> new.id) then
    insert into cuts as c (key, position, base) values ('login:' || ended, new.ended_position, new.ended_position)
      on conflict (key) do update set position = greatest(c.position, excluded.position), base = greatest(c.base, excluded.base);
  end if;
  return null;
end $$;
