-- Which users a client's API key reaches (docs/decisions/0071): those of the systems that the client names, those that its keys
-- created, and those that have a session with it. Both columns are added without reading a row.
alter table clients add column external_issuers text[] not null default '{default}';
alter table users add column created_by_client text;
