-- Clients (applications) live in the database. The setting CURFEW_CLIENTS and the built-in ones are seeded when a server starts
-- (docs/decisions/0069). A null means the settings' default.
create table clients (
  id                    text primary key,
  name                  text not null,
  audience              text,
  algorithm             text not null check (algorithm in ('EdDSA', 'ES256', 'RS256')),
  idle_seconds          integer check (idle_seconds > 0),
  absolute_seconds      integer check (absolute_seconds > 0),
  access_token_seconds  integer check (access_token_seconds > 0),
  opaque_access_seconds integer check (opaque_access_seconds > 0),
  grant_types           text[] not null,
  tenant                text not null default 'default' references tenants (id),
  created_at            timestamptz not null,
  disabled_at           timestamptz,
  deleted_at            timestamptz
);
