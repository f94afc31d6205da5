-- Tenants: every user and every session belongs to one (docs/decisions/0068).
create table tenants (
  id         text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name       text not null default '',
  created_at timestamptz not null
);
insert into tenants (id, name, created_at) values ('default', 'Default', now());

-- Constant defaults: no row is rewritten. Not validated: every user that exists is in the tenant that exists.
alter table users add column tenant text not null default 'default';
alter table users add constraint users_tenant_fkey foreign key (tenant) references tenants (id) not valid;

alter table user_sessions add column login uuid;
-- Sessions of before are of the default tenant. A node of an older version names none: then it is the user's.
alter table user_sessions add column tenant text default 'default';
alter table user_sessions alter column tenant drop default;
alter table user_sessions add column ended_position bigint;

alter table events add column login uuid;
alter table events add column tenant text;
-- Apart from user_id: an older node would mark every session of that user as ended.
alter table events add column cut_user bigint;

-- Older nodes do not say it.
alter table nodes add column wire smallint not null default 1;

-- An older node does not know the cuts of logins, tenants and grants, so none is made while one is registered. The lock keeps the
-- two from missing each other.
create function cut_for_all_nodes() returns bigint language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7236401582);
  if exists (select from nodes where wire < 2) then
    raise exception using errcode = 'CF001', message = 'a node of an older version does not know this kind of cut';
  end if;
  return next_cut();
end $$;
create function refuse_older_node() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7236401582);
  if exists (select from cuts where key like 'login:%' or key like 'tenant:%' or key like 'grant:%') then
    raise exception using errcode = 'CF002', message = 'this database has cuts that a node of this version does not know';
  end if;
  return new;
end $$;
create trigger older before insert on nodes for each row when (new.wire < 2) execute function refuse_older_node();

-- A function, and not a part of the view: a statement locks every table of its views, and a logout must not wait for a lock on users.
create function tenant_of_user(user_id bigint) returns text language plpgsql stable as $$
begin
  return (select u.tenant from users u where u.id = user_id);
end $$;

-- With the new columns and the new cuts.
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
    from cuts c where c.key = 'device:' || s.user_id || ':' || s.device_id), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'login:' || coalesce(s.login, s.id)), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'tenant:' || coalesce(s.tenant, tenant_of_user(s.user_id))), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'grant:' || s.user_id || ':' || s.client_id), false);
