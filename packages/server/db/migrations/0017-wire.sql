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
alter table user_sessions add column tenant text not null default 'default';
-- A node of an older version names no tenant. It can be right while there is one.
create function only_tenant() returns text language plpgsql stable as $$
begin
  if exists (select from tenants where id <> 'default') then
    raise exception using errcode = 'CF002', message = 'a node of this version does not know tenants';
  end if;
  return 'default';
end $$;
alter table user_sessions alter column tenant set default only_tenant();
alter table user_sessions add column ended_position bigint;
-- No older node opens one with an API key.
alter table user_sessions add column own_client_only boolean not null default false;

alter table events add column login uuid;
alter table events add column tenant text;
-- Apart from user_id: an older node would mark every session of that user as ended.
alter table events add column cut_user bigint;

-- Older nodes do not say it.
alter table nodes add column wire smallint not null default 1;

-- An older node does not know the cuts of logins, tenants and grants, nor a second tenant. So there is none while an older node is
-- registered, and none registers once there is. The lock keeps the two from missing each other.
create function require_all_nodes() returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7236401582);
  if exists (select from nodes where wire < 2) then
    raise exception using errcode = 'CF001', message = 'a node of an older version is running';
  end if;
end $$;
create function cut_for_all_nodes() returns bigint language plpgsql as $$
begin
  perform require_all_nodes();
  return next_cut();
end $$;
create function refuse_older_node() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7236401582);
  if exists (select from tenants where id <> 'default')
    or exists (select from cuts where key like 'login:%' or key like 'tenant:%' or key like 'grant:%') then
    raise exception using errcode = 'CF002', message = 'a node of this version does not know tenants, or cuts of this database';
  end if;
  return new;
end $$;
create trigger older before insert on nodes for each row when (new.wire < 2) execute function refuse_older_node();
create function tenant_for_all_nodes() returns trigger language plpgsql as $$
begin
  perform require_all_nodes();
  return new;
end $$;
create trigger for_all_nodes before insert on tenants for each row when (new.id <> 'default') execute function tenant_for_all_nodes();

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
    from cuts c where c.key = 'tenant:' || s.tenant), false)
  and not coalesce((select s.born < c.base or (s.born < c.position and c.except_session is distinct from s.id)
    from cuts c where c.key = 'grant:' || s.user_id || ':' || s.client_id), false);
