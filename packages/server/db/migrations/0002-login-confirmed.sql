-- When the password was last given in this session: null until it is asked for again (CURFEW_CONFIRM_AFTER_SECONDS).
alter table user_sessions add column authenticated_at timestamptz;

-- The view's columns are those that the table had when it was made.
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
