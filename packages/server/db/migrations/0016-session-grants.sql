-- A session says itself which credentials it was given: a new API family is no new case for refresh (docs/decisions/0051).
alter table user_sessions add column granted text;

-- What a session has that was opened before, or by a node that is not updated yet.
create function grant_of(granted text, contract text) returns text language sql immutable as $$
  select coalesce(granted, case contract when 'token' then 'opaque' when 'session-id' then 'session' when 'cookie' then 'cookie'
    else 'bearer' end)
$$;

-- With the new column.
create or replace view open_sessions as
select s.* from user_sessions s
where s.is_active
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'everyone'), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'user:' || s.user_id), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'client:' || s.client_id), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'device:' || s.user_id || ':' || s.device_id), false);
