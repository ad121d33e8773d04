-- Up Migration

-- Models in the object store, by the digest of their weights.
create table models (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  name text not null,
  version text not null,
  -- model.json, labels included: with the weights all a consumer needs.
  manifest jsonb not null,
  bytes bigint not null,
  published_at timestamptz not null default now()
);
create index models_by_name on models (name, version);

-- The model that the consumers of a pipeline run, unless they are told another by --model.
create table active_models (
  pipeline text primary key,
  digest text not null references models,
  changed_at timestamptz not null default now()
);

-- Down Migration

drop table active_models, models;
