/** Triggers that watch the tables while consumers write: who writes without the lease, and positions that go back. */
import type { Inspector } from './inspector.ts';

const violations = `
create table if not exists test_violations (
  at timestamptz not null default clock_timestamp(), what text not null, detail jsonb not null);

-- Fires for a row that conflicts with another, too: what a former owner tried to write is seen where nothing came of it.
create or replace function test_check_owner() returns trigger language plpgsql as $$
declare holder text;
begin
  select hostname into holder from owners
    where pipeline = new.pipeline and topic = new.topic and partition = new.partition and owner is not null;
  if holder is distinct from new.hostname then
    insert into test_violations (what, detail) values ('written without the lease', jsonb_build_object(
      'table', tg_table_name, 'partition', new.partition, 'offset', new."offset", 'writer', new.hostname, 'holder', holder));
  end if;
  return new;
end $$;

create or replace function test_check_position() returns trigger language plpgsql as $$
begin
  if new.next_offset < old.next_offset then
    insert into test_violations (what, detail) values ('position went back', jsonb_build_object(
      'partition', new.partition, 'from', old.next_offset, 'to', new.next_offset));
  end if;
  return new;
end $$;

create or replace trigger test_owner before insert on prediction_results
  for each row execute function test_check_owner();
create or replace trigger test_owner before insert on dead_letters
  for each row execute function test_check_owner();
create or replace trigger test_position before update on positions
  for each row execute function test_check_position();
`;

/** Of the run's own database, after `init`. */
export async function placeWitness(inspector: Inspector): Promise<void> {
  await inspector.rows(violations);
}

export async function seenByWitness(inspector: Inspector): Promise<string[]> {
  const found = await inspector.rows<{ at: Date; what: string; detail: unknown }>(
    'select at, what, detail from test_violations order by at',
  );
  return found.map((row) => `${row.at.toISOString()} ${row.what}: ${JSON.stringify(row.detail)}`);
}
