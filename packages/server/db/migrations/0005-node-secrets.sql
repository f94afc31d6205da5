-- The secret by which nodes know each other's messages where CURFEW_KEY is not set; empty where it is.
create table node_secrets (
  id     boolean primary key default true check (id),
  secret bytea not null
);
-- Readers are often given every table. This row is for those alone who may write to the log.
alter table node_secrets enable row level security;
create policy writers on node_secrets
  using (has_table_privilege('events'::regclass, 'insert'))
  with check (has_table_privilege('events'::regclass, 'insert'));
