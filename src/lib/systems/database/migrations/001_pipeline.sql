-- Up Migration

-- Images by key. A row inserted by hand with only image_key works: everything else has a default or may be null.
create table image_info (
  image_key text primary key check (image_key <> ''),
  sha256 text,
  bytes bigint,
  content_type text,
  uploaded_at timestamptz not null default now(),
  -- Grows when the image is replaced or `produce --again` asks for everything once more; with the key it makes the request id.
  round integer not null default 1,
  -- When the key was acknowledged by the topic in this round; null: still to be produced.
  produced_at timestamptz
);
create index image_info_to_produce on image_info (image_key) where produced_at is null;

-- `produce --again`: opened in the transaction that resets the rows, completed when a pass has reached the end.
create table produce_rounds (
  id integer generated always as identity primary key,
  opened_at timestamptz not null default now(),
  images bigint not null,
  completed_at timestamptz
);
create unique index produce_rounds_one_open on produce_rounds ((true)) where completed_at is null;

-- The first five columns are the original system's.
create table prediction_results (
  image_key text not null,
  category text not null,
  confidence double precision not null check (confidence >= 0 and confidence <= 100),
  hostname text not null,
  time timestamptz not null default clock_timestamp(),
  id bigint generated always as identity primary key,
  pipeline text not null,
  request_id text not null,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  model text not null,
  model_version text not null,
  model_digest text not null,
  top jsonb not null,
  bin text,
  belt text,
  -- Milliseconds by stage: fetch, decode, preprocess, infer.
  stages jsonb not null,
  captured_at timestamptz,
  -- From capture (or, without a capture time, from the message's timestamp) to this row, in milliseconds.
  latency_ms double precision,
  unique (pipeline, request_id)
);
create index prediction_results_by_time on prediction_results (time);
create index prediction_results_by_key on prediction_results (image_key);
create index prediction_results_by_category on prediction_results (category, time);

create table dead_letters (
  id bigint generated always as identity primary key,
  pipeline text not null,
  request_id text not null,
  image_key text,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  message_key bytea,
  message_value bytea,
  headers jsonb not null,
  -- Where it failed: read, fetch or classify.
  stage text not null,
  code text not null,
  message text not null,
  hostname text not null,
  attempts integer not null default 1,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  state text not null default 'open' check (state in ('open', 'resolved', 'dropped')),
  unique (pipeline, request_id)
);
create index dead_letters_by_time on dead_letters (last_at);

-- Where a consumer starts: the one truth about what has been recorded.
create table positions (
  pipeline text not null,
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  -- The last record taken, so that another incarnation of the topic is recognised.
  last_offset bigint,
  last_timestamp_ms bigint,
  -- Requests recorded under this position, by outcome.
  predicted bigint not null default 0,
  dead_lettered bigint not null default 0,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, topic, partition)
);

-- One owner a partition: a lease by this server's clock. The epoch grows with every change of owner.
create table owners (
  pipeline text not null,
  topic text not null,
  partition integer not null,
  mode text not null check (mode in ('partition', 'group')),
  epoch bigint not null,
  -- Null when released.
  owner text,
  hostname text not null,
  expires_at timestamptz not null,
  -- What the owner is doing, for `status`: consuming, or waiting and why.
  state text not null default 'starting',
  detail text,
  model text,
  model_digest text,
  engine text,
  started_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, topic, partition)
);

-- Down Migration

drop table owners, positions, dead_letters, prediction_results, produce_rounds, image_info;
