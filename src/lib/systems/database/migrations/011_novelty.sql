-- Up Migration

alter table prediction_results
  -- Distance to the nearest class divided by the model's threshold; 1 or more: unknown. Null where the model does not tell.
  add column novelty real,
  -- The reasons are the code's: it knows those of its version, and no new one should need a lock on the largest table.
  drop constraint if exists prediction_results_bin_reason_check;

-- Down Migration

alter table prediction_results drop column novelty;
