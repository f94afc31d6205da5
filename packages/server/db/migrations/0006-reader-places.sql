-- How far a durable reader has come, whole: see packages/protocol/src/log-cursor.ts. The cursor stays what it was, for nodes
-- that do not know the place yet: below it everything has been dealt with.
alter table readers add column place text;
