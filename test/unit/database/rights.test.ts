/** The table of rights speaks of every table and column that the migrations make, and of none besides. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildProgram } from '../../../src/cli.ts';
import { roles } from '../../../src/commands/shared/run.ts';
import { UsageError } from '../../../src/lib/base/errors.ts';
import { migrationsDirectory } from '../../../src/lib/systems/database/migrate.ts';
import { eachRight, rights, roleNames } from '../../../src/lib/systems/database/rights.ts';
import { checkRolePrefix } from '../../../src/lib/systems/database/roles.ts';

const up = readdirSync(migrationsDirectory)
  .filter((file) => file.endsWith('.sql'))
  .map((file) => readFileSync(join(migrationsDirectory, file), 'utf8').split('-- Down Migration')[0]!)
  .join('\n');

it('names every table', () => {
  const made = [...up.matchAll(/^create table (\w+)/gim)].map(([, name]) => name);
  expect(made.length).toBeGreaterThan(15);
  expect(Object.keys(rights).sort()).toEqual(['schema_migrations', ...made].sort());
});

it('gives no right to change what is migrated, and nothing to write to a reader', () => {
  for (const role of roleNames) {
    const written = eachRight(role).filter(({ privilege }) => privilege !== 'select');
    if (role === 'reader') expect(written).toEqual([]);
    expect(written.map(({ table }) => table)).not.toContain('schema_migrations');
  }
});

it('gives the operator all that others have', () => {
  const all = eachRight('operator').map(({ table, privilege }) => `${privilege} ${table}`);
  for (const role of roleNames) {
    expect(all).toEqual(
      expect.arrayContaining(eachRight(role).map(({ table, privilege }) => `${privilege} ${table}`)),
    );
  }
});

it.each(['', 'pg_mine', 'x'.repeat(55), 'é'.repeat(28)])('refuses the prefix %j', (prefix) => {
  expect(() => checkRolePrefix(prefix)).toThrow(UsageError);
});

it.each(['x'.repeat(54), 'é'.repeat(27), 'a "b'])('takes the prefix %j', (prefix) => {
  expect(() => checkRolePrefix(prefix)).not.toThrow();
});

it('is the same for every command in the code and in docs/postgresql.md', () => {
  const page = readFileSync(new URL('../../../docs/postgresql.md', import.meta.url), 'utf8');
  const lines = page.split('\n- ').map((line) => line.replaceAll(/\s+/g, ' '));
  const commands = buildProgram().commands.flatMap((command) => [
    command.name(),
    ...command.commands.map((part) => `${command.name()} ${part.name()}`),
  ]);
  for (const [command, role] of Object.entries(roles)) {
    expect(commands).toContain(command);
    const line = lines.find((line) => line.startsWith(`\`${role}\`:`));
    expect(line, command).toMatch(new RegExp(`\`${command}( --[a-z-]+)?\``));
  }
});
