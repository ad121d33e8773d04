-- Up Migration

-- What drifts on the belts that a consumer sees; null: nothing.
alter table consumers add column drift jsonb;

-- What the first images of a belt showed to a model: the belt is compared with it from then on.
create table belt_references (
  pipeline text not null,
  -- Empty: images without a belt.
  belt text not null,
  model_digest text not null,
  shown jsonb not null,
  made_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, belt, model_digest)
);

-- Down Migration

drop table belt_references;
alter table consumers drop column drift;
