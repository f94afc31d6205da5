-- API keys of clients and operators (docs/decisions/0071). Nodes of the version before refuse them.
create table api_keys (
  id           bigint generated always as identity primary key,
  tenant       text not null default 'default',
  client_id    text,
  name         text not null,
  hash         bytea not null unique,
  scopes       text[] not null,
  created_at   timestamptz not null,
  created_by   text not null,
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  revoked_by   text,
  check (cardinality(scopes) > 0 and scopes <@ array['verify', 'sessions:open', 'sessions:end', 'users', 'admin']),
  check (client_id is null or not 'admin' = any(scopes))
);
