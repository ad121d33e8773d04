-- Up Migration

-- Who changed what the consumers of a pipeline run, from what to what: their model, or the bins in force.
create table switches (
  id bigint generated always as identity primary key,
  pipeline text not null,
  kind text not null check (kind in ('model', 'bins')),
  -- A model's digest, or a version of the bins; null: nothing was chosen before.
  former text,
  current text not null,
  switched_at timestamptz not null default clock_timestamp(),
  -- The person's account, and the host it was done from.
  account text not null,
  host text not null
);
create index switches_in_order on switches (pipeline, kind, id);

-- Down Migration

drop table switches;
