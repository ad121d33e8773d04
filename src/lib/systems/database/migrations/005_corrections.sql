-- Up Migration

-- What an image really is, said by a person: the last word counts.
create table corrections (
  pipeline text not null,
  image_key text not null check (image_key <> ''),
  label text not null check (label <> ''),
  corrected_by text not null,
  corrected_at timestamptz not null default clock_timestamp(),
  -- The content that was looked at, and since when the key has had it; null where image_info does not say. A replaced
  -- image is another one: its predictions are not judged by this, and it is not trained on.
  sha256 text,
  content_since timestamptz,
  primary key (pipeline, image_key)
);
create index corrections_by_label on corrections (pipeline, label);

-- Down Migration

drop table corrections;
