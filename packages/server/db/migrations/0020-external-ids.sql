-- The id that another system has for a user, unique within the name of its issuer (docs/decisions/0070). The index reads users once;
-- logins and checks go on meanwhile, changes of users wait.
alter table users add column external_issuer text;
alter table users add column external_id text;
create unique index users_external on users (external_issuer, external_id) where external_id is not null and deleted_at is null;
