/** Migrations only add, so that the version before works on the tables of this one while hosts are upgraded one by one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { migrationsDirectory } from '../../../src/lib/systems/database/migrate.ts';

/** What a version that does not know of it may stumble over. */
const takesAway =
  /\b(drop|rename|truncate)\b|\balter column \S+ (set data )?type\b|\bset not null\b|\badd (constraint|check|unique|primary|foreign)\b|\badd column (?![^,;]*\bdefault\b)[^,;]*\bnot null\b/i;

function takenAway(sql: string): string | undefined {
  const [up = ''] = sql.split('-- Down Migration');
  // Without a check, a table takes more than before.
  const told = up.replace(/--.*$/gm, '').replace(/\bdrop constraint (if exists )?\w+_check\b/gi, '');
  return takesAway.exec(told)?.[0];
}

describe('migrations', () => {
  it.each(readdirSync(migrationsDirectory))('%s adds, or says which version can do without', (file) => {
    const taken = takenAway(readFileSync(join(migrationsDirectory, file), 'utf8'));
    if (!/-needs-\d+\.sql$/.test(file)) expect(taken).toBeUndefined();
  });

  it.each([
    'alter table owners drop column since;',
    'alter table owners drop constraint owners_pkey;',
    'alter table owners rename column since to at;',
    'alter table owners add column host text not null;',
    'alter table owners alter column host set not null;',
    'alter table owners add constraint one check (epoch > 0);',
  ])('would find: %s', (sql) => expect(takenAway(`-- Up Migration\n${sql}`)).toBeDefined());

  it.each([
    'alter table owners add column host text;',
    'alter table owners drop constraint owners_epoch_check;',
    `alter table owners add column n int not null default 0;`,
  ])('lets pass: %s', (sql) =>
    expect(takenAway(`-- drops nothing\n${sql}\n-- Down Migration\ndrop table owners;`)).toBeUndefined(),
  );
});
