-- Up Migration

-- A retry is a message of its own, with the number of attempts it follows: sent twice, it counts once.
alter table dead_letters
  -- When the last retry was put into the topic; null: never.
  add column retry_sent_at timestamptz,
  -- When it was resolved (a retry became a prediction) or dropped.
  add column closed_at timestamptz;
create index dead_letters_open on dead_letters (pipeline, id) where state = 'open';

-- Requests that were classified alone after an owner ended abnormally, marked before they start: a mark that is still
-- there tells that the process died while it worked on this request and nothing else.
create table suspects (
  pipeline text not null,
  request_id text not null,
  -- The process that works on it, and how many have: those before it died, or could not say that they were done.
  owner text not null,
  starts integer not null default 1,
  started_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, request_id)
);

-- Down Migration

drop table suspects;
drop index dead_letters_open;
alter table dead_letters drop column retry_sent_at, drop column closed_at;
