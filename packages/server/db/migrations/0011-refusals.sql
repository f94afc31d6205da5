-- What was refused: one row for each kind, account, source and minute, with a count. Apart from the log, whose readers
-- need none of it. Positions are those of the log, so that a history shows both in pages.
create table refusals (
  position   bigint primary key default nextval('positions'),
  -- The transaction that wrote it last.
  xid        xid8 not null default pg_current_xact_id(),
  minute     timestamptz not null,
  type       text not null,
  -- Null where the attempt named no account that exists. What was typed instead stands nowhere.
  user_id    bigint,
  -- The address, of IPv6 the /64; empty where it is not known, '*' for those beyond the number that has rows.
  source     text not null,
  count      bigint not null,
  at         timestamptz not null,
  last_at    timestamptz not null,
  -- Of the last one.
  contract   text,
  client_id  text,
  ip_address text,
  user_agent text not null,
  request_id text,
  code       text
);
create unique index refusals_once on refusals (minute, type, coalesce(user_id, 0), source);
create index refusals_of_user on refusals (user_id, position);
create index refusals_xid on refusals (xid);
