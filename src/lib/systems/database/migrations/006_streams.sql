-- Up Migration

-- The stream of results is ordered by (tx, id) and shows only rows whose transaction is older than every running one:
-- a row that commits late, with a smaller id than those already read, is not skipped.
alter table prediction_results
  -- The rules by which `bin` was chosen, and why it is this one; null where the pipeline had none.
  add column bin_version integer,
  add column bin_reason text
    check (bin_reason in ('mapped', 'unmapped', 'low_confidence', 'low_margin', 'missed_deadline')),
  add column traceparent text,
  -- The bucket of an S3 event where it is not the configured store's; null: the store.
  add column bucket text,
  add column tx xid8 not null default pg_current_xact_id();
create index prediction_results_in_order on prediction_results (tx, id);

alter table dead_letters
  add column traceparent text,
  add column belt text,
  add column tx xid8 not null default pg_current_xact_id();
create index dead_letters_in_order on dead_letters (tx, id);

-- Records that asked for nothing: test and delete events of an object store.
alter table positions add column ignored bigint not null default 0;

-- Every set of rules that `bins use` has ever put in force; the same rules again are the same version.
create table bin_versions (
  pipeline text not null,
  version integer not null check (version > 0),
  rules jsonb not null,
  -- Name of the file they came from.
  source text not null,
  -- Of the rules in canonical form.
  digest text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, version),
  unique (pipeline, digest)
);

-- The rules in force; no row: everything is recorded without a bin.
create table active_bins (
  pipeline text primary key,
  version integer not null,
  changed_at timestamptz not null default clock_timestamp(),
  foreign key (pipeline, version) references bin_versions
);

-- What is still to be published: written with the row or dead letter it tells of, deleted when the topic has it.
create table outbox (
  id bigint generated always as identity primary key,
  pipeline text not null,
  -- The topic and partition it was read from; it is published to `<topic>.results` or `<topic>.dead`.
  topic text not null,
  partition integer not null,
  kind text not null check (kind in ('result', 'dead')),
  record_key text,
  payload jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);
create index outbox_in_order on outbox (pipeline, topic, partition, id);

-- What came in by HTTP: tells pending from unknown, and one idempotency key with two contents.
create table ingested (
  pipeline text not null,
  request_id text not null,
  image_key text not null,
  sha256 text not null,
  bytes bigint not null,
  content_type text not null,
  belt text,
  idempotency_key text,
  -- Name of the token that sent it; null where none was asked for.
  token_name text,
  accepted_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, request_id),
  unique (pipeline, idempotency_key)
);
create index ingested_by_time on ingested (accepted_at);

-- Tells `produce --follow` that there may be something to produce; once a statement, and once a transaction at most.
create function visionscale_tell_images() returns trigger language plpgsql as $$
begin
  perform pg_notify('visionscale_images', '');
  return null;
end
$$;
create trigger image_info_tell after insert or update of round on image_info
  for each statement execute function visionscale_tell_images();

-- Down Migration

drop trigger image_info_tell on image_info;
drop function visionscale_tell_images;
drop table ingested, outbox, active_bins, bin_versions;
alter table positions drop column ignored;
alter table dead_letters drop column traceparent, drop column belt, drop column tx;
alter table prediction_results
  drop column bin_version, drop column bin_reason, drop column traceparent, drop column bucket, drop column tx;
