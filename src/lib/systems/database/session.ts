/**
 * What a role, a database or a server may have set otherwise than the code relies on, and whether a pooler stands
 * between: looked at when a pool opens, put right for every session, or behind a pooler for every transaction.
 */
import pg from 'pg';
import { DatabaseError } from '../../base/errors.ts';
import { databaseCode, databaseErrorOrSame } from './database-error.ts';
import { roleFullName, type RoleName, roleNames, rolePrefix } from './rights.ts';

/** How sessions of one pool are. */
export interface Session {
  /** A pooler may give every transaction another session: nothing that outlives a transaction can be relied on. */
  pooled: boolean;
  /** Where the tables are or go; null where the search path names nothing that is there. */
  schema: string | null;
  /** The first schema that the search path names and that is not there, or may not be used. */
  unusableSchema: { name: string; exists: boolean } | null;
  role: string;
  database: string;
  /** The installation's SQL roles, of all its schemas: those that may read the table of migrations. */
  groups: Group[];
  /** Which of them has the rights that this process needs. */
  needs: RoleName;
  encoding: string;
  /** As server_version_num. */
  version: number;
  /** What is put right, by name. */
  set: Record<string, string>;
}

interface Group {
  schema: string;
  name: string;
  /** The session's role is in it. */
  member: boolean;
}

/**
 * A process that is frozen or cut off in the middle of a transaction keeps its row locks, and whoever takes over its
 * partition, or records the same request, waits for them. The server ends such a session well before a lease does, ms.
 */
const idleInTransaction = 2500;

/** What the code relies on. `explicit`: what the connection's own options say of it stands. */
const relied: Record<string, { good: (value: string) => boolean; better: string; explicit?: true }> = {
  // Times come as text: another style would be read as no time at all.
  DateStyle: { good: (value) => value.startsWith('ISO'), better: 'ISO' },
  standard_conforming_strings: { good: (value) => value === 'on', better: 'on' },
  // A null in an array parameter would be the word.
  array_nulls: { good: (value) => value === 'on', better: 'on' },
  extra_float_digits: { good: (value) => Number(value) >= 0, better: '1' },
  // A statement sees what others have committed before it; the row locks are made for that.
  default_transaction_isolation: { good: (value) => value === 'read committed', better: 'read committed' },
  default_transaction_read_only: { good: (value) => value === 'off', better: 'off' },
  // Without it what was acknowledged may be gone after a crash of the server.
  synchronous_commit: { good: (value) => value !== 'off', better: 'on', explicit: true },
  // Meant for people's queries; an audit or a change of the schema may take long.
  statement_timeout: { good: (value) => value === '0', better: '0', explicit: true },
  lock_timeout: { good: (value) => value === '0', better: '0', explicit: true },
  transaction_timeout: { good: (value) => value === '0', better: '0', explicit: true },
  idle_session_timeout: { good: (value) => value === '0', better: '0', explicit: true },
};

const sessions = new WeakMap<pg.Pool, Session>();

/** Of a pool that `openDatabase` has opened; any other is taken for a plain one. */
export function sessionOf(pool: pg.Pool): Session | undefined {
  return sessions.get(pool);
}

interface Found {
  pid: number;
  role: string;
  database: string;
  groups: Group[] | null;
  schema: string | null;
  /** Of the table of migrations, where the search path finds one. */
  home: string | null;
  path: string;
  listed: { name: string; exists: boolean }[] | null;
  settings: Record<string, string>;
}

const look = `
select pg_backend_pid() as pid, current_user as role, current_database() as database, current_schema() as schema,
  current_setting('search_path') as path,
  (select json_agg(distinct jsonb_build_object('schema', n.nspname, 'name', r.rolname,
     'member', pg_has_role(r.oid, 'MEMBER')))
   from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join aclexplode(c.relacl) a
   join pg_roles r on r.oid = a.grantee
   where c.relname = 'schema_migrations' and not r.rolcanlogin and r.rolname ~ '_(${roleNames.join('|')})$') as groups,
  (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.oid = to_regclass('schema_migrations')) as home,
  (select json_agg(json_build_object('name', name, 'exists', exists (select from pg_namespace where nspname = name))
     order by nth)
   from (select nth, coalesce(replace(substring(part from '^"(.*)"$'), '""', '"'), part) as name
     from regexp_split_to_table(current_setting('search_path'), '[[:space:]]*,[[:space:]]*')
       with ordinality as parts (part, nth)
     where part not in ('', '""', '"$user"', 'pg_catalog', 'pg_temp')) as named) as listed,
  (select json_object_agg(name, setting) from pg_settings where name = any($1)) as settings`;

/**
 * Looks at a new pool's sessions through one of them. `explicit` are settings that the connection's own options name.
 * What the look finds otherwise is put right from now on, by `prepare` or `begin`.
 */
export async function inspect(
  pool: pg.Pool,
  client: pg.ClientBase,
  explicit: Record<string, string>,
  needs: RoleName = 'operator',
): Promise<Session> {
  // In one transaction, so that behind a pooler too the options count for the look.
  const [given] = setStatement(explicit, true);
  if (given !== undefined) await client.query(`begin; ${given}`);
  const names = [...Object.keys(relied), 'server_encoding', 'server_version_num'];
  const { rows } = await client.query<Found>(look, [names]);
  if (given !== undefined) await client.query('rollback');
  const found = rows[0]!;
  const { server_encoding: encoding = '', server_version_num: version = '0', ...settings } = found.settings;
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    const rule = relied[name];
    if (rule !== undefined && !rule.good(value) && !(rule.explicit && name in explicit))
      set[name] = rule.better;
  }
  const { schema, path } = homeOf(found);
  if (path !== undefined) set['search_path'] = path;
  const { processID } = client as { processID?: number };
  const session: Session = {
    pooled: processID !== found.pid,
    schema,
    unusableSchema: schema === null ? (found.listed?.[0] ?? null) : null,
    role: found.role,
    database: found.database,
    groups: found.groups ?? [],
    needs,
    encoding,
    version: Number(version),
    set: { ...explicit, ...set },
  };
  sessions.set(pool, session);
  return session;
}

/**
 * The default path may name two schemas, the user's own and public: then the tables are where they are already. A path
 * that names none at all, as hardened servers have it, stands for public.
 */
function homeOf({ schema, home, path, listed }: Found): { schema: string | null; path?: string } {
  if (schema === null) return listed === null ? { schema: 'public', path: 'public' } : { schema };
  return { schema: path === '"$user", public' ? (home ?? schema) : schema };
}

/** For a new connection of the pool. Behind a pooler `begin` does it instead. */
export async function prepare(pool: pg.Pool, client: pg.ClientBase): Promise<void> {
  const session = sessions.get(pool);
  if (session === undefined || session.pooled) return;
  lasting.add(client);
  const [text] = setStatement(session.set, false);
  if (text !== undefined) await client.query(text);
}

/** Connections to sessions that are theirs alone. */
const lasting = new WeakSet<pg.ClientBase>();

/**
 * A statement that a session parses and plans once, which is most of the work of a short one; behind a pooler, each time. Not for
 * one that looks something up in a table which may grow a lot: its plan would be that for the small table.
 */
export function planned(
  client: pg.ClientBase,
  name: string,
  text: string,
  values: unknown[],
): pg.QueryConfig {
  return lasting.has(client) ? { name, text, values } : { text, values };
}

export interface BeginOptions {
  /** How long the process may be silent in the middle of it before the server gives it up, ms; 0: for ever. */
  idleMs?: number;
  /** How long one of its statements waits for a lock, ms. */
  lockMs?: number;
}

/** The text that begins a transaction, whatever the session's defaults are; one message to the server. */
export function begin(pool: pg.Pool, { idleMs = idleInTransaction, lockMs }: BeginOptions = {}): string {
  const { pooled = false, set = {} } = sessions.get(pool) ?? {};
  const writes = pooled && set['default_transaction_read_only'] === 'off' ? ' read write' : '';
  return [
    `begin isolation level read committed${writes}`,
    `set local idle_in_transaction_session_timeout = ${idleMs}`,
    ...(pooled ? setStatement(set, true) : []),
    ...(lockMs === undefined ? [] : [`set local lock_timeout = ${lockMs}`]),
  ].join('; ');
}

/** set_config takes any value as the setting's own grammar has it, lists of schemas too. */
function setStatement(settings: Record<string, string>, local: boolean): string[] {
  const calls = Object.entries(settings).map(
    ([name, value]) => `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, ${local})`,
  );
  return calls.length === 0 ? [] : [`select ${calls.join(', ')}`];
}

/** The schema of the tables. Throws DatabaseError where the search path leads nowhere. */
export function schemaOf(pool: pg.Pool): string {
  const session = sessions.get(pool);
  if (session === undefined) return 'public';
  if (session.schema !== null) return session.schema;
  const { name, exists } = session.unusableSchema ?? { name: 'public', exists: true };
  if (exists) {
    throw new DatabaseError(`role ${session.role} may not use the schema ${name}`, {
      code: 'database_permission_denied',
      hint: permissionHint(session, name),
    });
  }
  throw new DatabaseError(`the schema ${name}, which the search path names, does not exist`, {
    code: 'schema_missing',
    hint: 'Run: visionscale init',
  });
}

/** Who can do what about a right that the session's role lacks. */
export function permissionHint({ groups, needs, role, database }: Session, schema: string): string {
  const login = pg.escapeIdentifier(role);
  const fitting = groups.filter((group) => group.schema === schema && group.name.endsWith(`_${needs}`));
  if (fitting.some(({ member }) => member)) {
    return `${role} has the role for this. Have the tables’ owner run \`visionscale init --roles\`, which gives the role the rights of this version.`;
  }
  const [group] = fitting;
  if (group !== undefined) {
    return `Have an administrator run:\n  GRANT ${pg.escapeIdentifier(group.name)} TO ${login};`;
  }
  const name = pg.escapeIdentifier(roleFullName(rolePrefix(database, schema), needs));
  return `Have the tables’ owner run \`visionscale init --roles\`, and then an administrator:\n  GRANT ${name} TO ${login};`;
}

/** As `databaseErrorOrSame`; of a right that is missing it says whose it is, and which role has it. */
export function sessionError(pool: pg.Pool, error: unknown, where?: string): unknown {
  const fault = databaseErrorOrSame(error, where);
  const session = sessions.get(pool);
  const isDenied = fault instanceof DatabaseError && databaseCode(fault) === '42501';
  if (!isDenied || session === undefined) return fault;
  return new DatabaseError(`${fault.message}, for the role ${session.role}`, {
    code: fault.code,
    hint: permissionHint(session, session.schema ?? session.unusableSchema?.name ?? 'public'),
    cause: fault.cause,
  });
}

/** Makes the schema that the search path names where it is missing; for `init`. */
export async function createSchemaIfMissing(pool: pg.Pool): Promise<void> {
  const session = sessions.get(pool);
  const wanted = session?.unusableSchema;
  if (!session || !wanted || wanted.exists) return;
  const name = pg.escapeIdentifier(wanted.name);
  try {
    await pool.query(`create schema if not exists ${name}`);
  } catch (error) {
    const cause = databaseErrorOrSame(error);
    if (cause instanceof DatabaseError && cause.retryable) throw cause;
    throw new DatabaseError(`the schema ${wanted.name}, which the search path names, could not be created`, {
      code: 'database_permission_denied',
      hint: `Have an administrator run:\n  CREATE SCHEMA ${name} AUTHORIZATION ${pg.escapeIdentifier(session.role)};`,
      cause: error,
    });
  }
  Object.assign(session, { schema: wanted.name, unusableSchema: null });
}

/** The oldest PostgreSQL that has what the tables are made of. */
const oldest = 130_000;

/** What no setting of a session can put right. Throws DatabaseError `database_unfit`. */
export function requireFit(pool: pg.Pool): void {
  const session = sessions.get(pool);
  if (session === undefined) return;
  const { encoding, version } = session;
  if (version < oldest) {
    throw new DatabaseError(
      `the server is PostgreSQL ${Math.floor(version / 10_000)}; 13 or later is needed`,
      {
        code: 'database_unfit',
        hint: 'Upgrade the server, or name another in DATABASE_URL.',
      },
    );
  }
  if (encoding !== 'UTF8') {
    throw new DatabaseError(
      `the database’s encoding is ${encoding}, which cannot hold every image key; UTF8 is needed`,
      {
        code: 'database_unfit',
        hint:
          'A database’s encoding cannot be changed. Use another database (init creates it, if it may), or have one created:\n' +
          `  CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8';`,
      },
    );
  }
}
