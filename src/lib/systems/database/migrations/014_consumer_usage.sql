-- Up Migration

alter table consumers
  -- Processor time of its processes, in cores: the mean of the last seconds. Null: not known, or not told by its version.
  add column cpu_cores real,
  -- Resident memory of its processes.
  add column memory_bytes bigint;

-- Down Migration

alter table consumers drop column cpu_cores, drop column memory_bytes;
