-- Up Migration

-- Why the topic refused the message (too large, say): it is kept, and passed over until its partition gets another owner.
alter table outbox add column if not exists refused text;
create index if not exists outbox_refused on outbox (pipeline, topic, partition) where refused is not null;

-- Down Migration

drop index if exists outbox_refused;
alter table outbox drop column if exists refused;
