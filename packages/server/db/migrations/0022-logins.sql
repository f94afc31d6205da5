-- What cuts of a session's login are judged by. Nothing has begun a session through a login yet. Constant defaults: no row is rewritten.
alter table user_sessions add column login_born bigint;
alter table user_sessions add column login_client text;
alter table user_sessions add column has_children boolean not null default false;
-- Of an ending that names sessions: the logins among them that others were begun through.
alter table events add column logins uuid[];

-- An older node does not end what was begun through a login. So there is no such session while an older node is registered, and none
-- registers once there is one: the cut ends nothing, but stands for it.
create function child_for_all_nodes() returns bigint language plpgsql as $$
begin
  perform require_all_nodes();
  insert into cuts (key, position, base) values ('login:00000000-0000-0000-0000-000000000000', 0, 0) on conflict do nothing;
  return nextval('positions');
end $$;

-- Whether a cut of the login's application ends the login of a session. A function, which costs sessions without a login nothing: each
-- look in the view is prepared whenever a statement runs.
create function login_is_cut(user_id bigint, login uuid, login_born bigint, login_client text) returns boolean language sql stable as $$
  select exists (select from cuts c where c.key in ('client:' || login_client, 'grant:' || user_id || ':' || login_client)
    and (login_born < c.base or (login_born < c.position and c.except_session is distinct from login)))
$$;

-- With the login's position and application.
create or replace view open_sessions as
select s.* from user_sessions s
where s.is_active
  and not coalesce((select coalesce(s.login_born, s.born) < c.base or (coalesce(s.login_born, s.born) < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'everyone'), false)
  and not coalesce((select coalesce(s.login_born, s.born) < c.base or (coalesce(s.login_born, s.born) < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'user:' || s.user_id), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'client:' || s.client_id), false)
  and not coalesce((select coalesce(s.login_born, s.born) < c.base or (coalesce(s.login_born, s.born) < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'device:' || s.user_id || ':' || s.device_id), false)
  and not coalesce((select coalesce(s.login_born, s.born) < c.base or (coalesce(s.login_born, s.born) < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'login:' || coalesce(s.login, s.id)), false)
  and not coalesce((select coalesce(s.login_born, s.born) < c.base or (coalesce(s.login_born, s.born) < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'tenant:' || s.tenant), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from coalesce(s.login, s.id))
    from cuts c where c.key = 'grant:' || s.user_id || ':' || s.client_id), false)
  and (s.login is null or not login_is_cut(s.user_id, s.login, s.login_born, s.login_client));

-- The sessions that were begun through a login end with it, whichever statement marks its row: expiry and renewal alone spare them. The
-- statement holds the lock of the row, and so sees all of them here; rows that others hold are skipped, because the cut has ended them.
create function end_children() returns trigger language plpgsql as $$
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
      where user_id = new.user_id and login = ended and is_active and login_born < new.ended_position and id <> new.id
      order by id for update skip locked);
  if exists (select from user_sessions
    where user_id = new.user_id and login = ended and is_active and login_born < new.ended_position and id <> new.id) then
    insert into cuts as c (key, position, base) values ('login:' || ended, new.ended_position, new.ended_position)
      on conflict (key) do update set position = greatest(c.position, excluded.position), base = greatest(c.base, excluded.base);
  end if;
  return null;
end $$;
-- A short condition: it is prepared whenever a row is marked.
create trigger children after update of is_active on user_sessions for each row
  when (new.has_children)
  execute function end_children();
