-- How often a spent refresh token was used within the grace, and who spent it: hashes of the source and of the user agent.
alter table tokens add column grace_uses smallint not null default 0;
alter table tokens add column spent_by bytea;
