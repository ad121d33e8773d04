-- Up Migration

-- The embedded topic. One row a partition: whoever appends locks it, so offsets have no gaps and follow commit order.
create table topic_heads (
  topic text not null,
  partition integer not null check (partition >= 0),
  -- The first offset still there, and the one the next record gets.
  first_offset bigint not null default 0,
  next_offset bigint not null default 0,
  -- Keys and values of what is there.
  bytes bigint not null default 0,
  primary key (topic, partition),
  check (first_offset <= next_offset)
) with (fillfactor = 50);

create table topic_records (
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  timestamp_ms bigint not null,
  key bytea,
  value bytea not null,
  headers jsonb not null,
  primary key (topic, partition, "offset")
);
-- Photographs do not get smaller by another compression.
alter table topic_records alter column value set storage external;

-- How far each group has come: the next offset to read. Records below the least of them may be deleted.
create table topic_commits (
  topic text not null,
  group_name text not null,
  partition integer not null,
  next_offset bigint not null check (next_offset >= 0),
  committed_at timestamptz not null default now(),
  primary key (topic, group_name, partition)
) with (fillfactor = 50);

-- Who is in a group; a member that does not renew expires.
create table topic_members (
  topic text not null,
  group_name text not null,
  member text not null,
  expires_at timestamptz not null,
  primary key (topic, group_name, member)
);

-- Who really holds a partition: it changes hands only when it was released or has expired.
create table topic_holders (
  topic text not null,
  group_name text not null,
  partition integer not null,
  member text not null,
  expires_at timestamptz not null,
  primary key (topic, group_name, partition)
);

-- Down Migration

drop table topic_holders;
drop table topic_members;
drop table topic_commits;
drop table topic_records;
drop table topic_heads;
