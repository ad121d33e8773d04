-- Up Migration

-- Every consumer process there is, also one that owns no partition yet: it is heard every second.
create table consumers (
  -- Unique to the process, as in `owners`.
  owner text primary key,
  pipeline text not null,
  topic text not null,
  hostname text not null,
  -- How it was told to share: one partition, whatever is free, or as a member of a Kafka group.
  share text not null check (share in ('partition', 'any', 'group')),
  -- The one partition it was told to consume.
  partition integer,
  state text not null,
  -- Why it waits.
  detail text,
  -- Of this state.
  since timestamptz not null default clock_timestamp(),
  model text,
  model_digest text,
  engine text,
  -- Predictions and dead letters that it recorded in the last minute.
  images_last_minute integer not null default 0,
  started_at timestamptz not null default clock_timestamp(),
  heard_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
create index consumers_by_pipeline on consumers (pipeline, topic);

-- Since when the owner of a partition is in its state.
alter table owners add column since timestamptz not null default clock_timestamp();

-- Down Migration

alter table owners drop column since;
drop table consumers;
