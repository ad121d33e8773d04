-- Up Migration

-- Belts that have a model of their own; the others take their pipeline's.
create table belt_models (
  pipeline text not null,
  belt text not null,
  digest text not null references models,
  changed_at timestamptz not null default now(),
  primary key (pipeline, belt)
);

-- Who changed which belt's model, from what to what, as `switches` has it of a pipeline.
create table belt_switches (
  id bigint generated always as identity primary key,
  pipeline text not null,
  belt text not null,
  -- A model's digest; null: the pipeline's model.
  former text,
  current text,
  switched_at timestamptz not null default clock_timestamp(),
  -- The person's account, and the host it was done from.
  account text not null,
  host text not null
);
create index belt_switches_in_order on belt_switches (pipeline, belt, id);

-- Down Migration

drop table belt_switches, belt_models;
