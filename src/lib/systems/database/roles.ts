/** Makes the SQL roles of an installation and keeps what they may do up to date. Logins are an administrator's to make. */
import pg from 'pg';
import { DatabaseError, UsageError } from '../../base/errors.ts';
import { underLock } from './lock-holder.ts';
import { eachRight, roleFullName, type RoleName, roleNames, rolePrefix, rights, rightsOf } from './rights.ts';
import { schemaOf, sessionOf } from './session.ts';

const { escapeIdentifier } = pg;

export interface Role {
  role: RoleName;
  /** In PostgreSQL. */
  name: string;
  created: boolean;
}

export interface Roles {
  roles: Role[];
  warnings: string[];
}

/** PostgreSQL cuts longer names short. */
const mostBytes = 63;

/** Throws a UsageError where PostgreSQL would refuse or cut short what begins with it. */
export function checkRolePrefix(prefix: string): void {
  const bytes = Buffer.byteLength(roleFullName(prefix, 'producer'));
  if (bytes <= mostBytes && prefix !== '' && !prefix.startsWith('pg_') && !prefix.includes('\0')) return;
  throw new UsageError(
    `roles cannot be named ${prefix}_producer: a name has at most ${mostBytes} bytes and does not begin with pg_`,
    'Choose another prefix: visionscale init --roles <prefix>',
  );
}

/**
 * The roles that `prefix` names; the default says database and schema. Safe twice, and from two hosts at once. Throws
 * DatabaseError: `cannot_create_roles`, whose hint is the SQL to run; `role_taken`; `database_permission_denied`.
 */
export async function makeRoles(pool: pg.Pool, prefix?: string): Promise<Roles> {
  const schema = schemaOf(pool);
  const { database = '', role: self = '' } = sessionOf(pool) ?? {};
  const named = prefix ?? rolePrefix(database, schema);
  checkRolePrefix(named);
  const wanted = roleNames.map((role) => ({ role, name: roleFullName(named, role) }));
  return underLock(pool, 'visionscale roles', async (client) => {
    const owner = await otherOwner(client, schema);
    if (owner !== null) {
      throw new DatabaseError(
        `role ${self} may not grant rights on the tables in the schema ${schema}: they are ${owner}’s`,
        { code: 'database_permission_denied', hint: `Run \`visionscale init --roles\` as ${owner}.` },
      );
    }
    const there = await existing(client, schema, wanted);
    const missing = wanted.filter(({ name }) => !there.has(name));
    if (missing.length > 0 && !(await mayCreateRoles(client))) throw notAllowed(self, missing);
    for (const { name } of missing) await client.query(`create role ${escapeIdentifier(name)} nologin`);
    const roles = wanted.map((one) => ({ ...one, created: missing.includes(one) }));
    return { roles, warnings: await grant(client, { schema, database }, roles) };
  });
}

/** Those that were made before get what this version needs; by the owner alone, and without roles nothing happens. */
export async function refreshRoles(pool: pg.Pool): Promise<Roles> {
  const schema = schemaOf(pool);
  const { database = '', groups = [] } = sessionOf(pool) ?? {};
  const roles = groups
    .filter((group) => group.schema === schema)
    .map(({ name }) => ({
      name,
      role: roleNames.find((role) => name.endsWith(`_${role}`))!,
      created: false,
    }));
  if (roles.length === 0) return { roles, warnings: [] };
  return underLock(pool, 'visionscale roles', async (client) => {
    if ((await otherOwner(client, schema)) !== null) return { roles: [], warnings: [] };
    return { roles, warnings: await grant(client, { schema, database }, roles) };
  });
}

/** Whose the tables are, unless they are this role's. */
async function otherOwner(client: pg.PoolClient, schema: string): Promise<string | null> {
  const { rows } = await client.query<{ owner: string }>(
    `select pg_get_userbyid(relowner) as owner from pg_class
     where relnamespace = $1::regnamespace and relname = any($2) and not pg_has_role(relowner, 'MEMBER') limit 1`,
    [escapeIdentifier(schema), Object.keys(rights)],
  );
  return rows[0]?.owner ?? null;
}

/** Throws `role_taken` where a role of this name is something else than the group of this installation. */
async function existing(
  client: pg.PoolClient,
  schema: string,
  wanted: readonly { name: string }[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string; isLogin: boolean; isElsewhere: boolean }>(
    `with here as (select oid from pg_database where datname = current_database())
     select rolname as name, rolcanlogin or rolsuper as "isLogin", exists (
       select from pg_shdepend d, here where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and (
         d.deptype = 'o'
         or d.dbid = 0 and d.classid = 'pg_database'::regclass and d.objid <> here.oid
         or d.dbid not in (0, here.oid)
         or d.dbid = here.oid and d.classid = 'pg_class'::regclass and not exists (
           select from pg_class c where c.oid = d.objid and c.relnamespace = $1::regnamespace))) as "isElsewhere"
     from pg_roles r where rolname = any($2)`,
    [escapeIdentifier(schema), wanted.map(({ name }) => name)],
  );
  const other = rows.find(({ isLogin, isElsewhere }) => isLogin || isElsewhere);
  if (other !== undefined) {
    throw new DatabaseError(
      other.isLogin
        ? `the role ${other.name} exists and can log in: it is not a group of this installation`
        : `the role ${other.name} exists and has rights elsewhere on this server`,
      { code: 'role_taken', hint: 'Choose another prefix: visionscale init --roles <prefix>' },
    );
  }
  return new Set(rows.map(({ name }) => name));
}

async function mayCreateRoles(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    'select rolsuper or rolcreaterole as may from pg_roles where rolname = current_user',
  );
  return rows[0]?.may === true;
}

function notAllowed(self: string, missing: readonly { name: string }[]): DatabaseError {
  const sql = missing.map(({ name }) => `  CREATE ROLE ${escapeIdentifier(name)} NOLOGIN;`).join('\n');
  return new DatabaseError(`role ${self} may not create roles`, {
    code: 'cannot_create_roles',
    hint: `Have an administrator run:\n${sql}\nThen run this command again: it grants them their rights.`,
  });
}

interface Place {
  schema: string;
  database: string;
}

/** Exactly what the table says, in one transaction: running sessions see no moment between. Returns what is left to do. */
async function grant(
  client: pg.PoolClient,
  { schema, database }: Place,
  roles: readonly Role[],
): Promise<string[]> {
  const [inSchema, onDatabase] = [escapeIdentifier(schema), escapeIdentifier(database)];
  const tables = Object.keys(rights).map(
    (table) => [table, `${inSchema}.${escapeIdentifier(table)}`] as const,
  );
  const all = tables.map(([, name]) => name).join(', ');
  for (const { role, name } of roles) {
    const to = escapeIdentifier(name);
    await client.query(
      [
        `revoke all on ${all} from ${to}`,
        ...tables.flatMap(([table, on]) => {
          const what = rightsOf(role, table);
          return what === undefined ? [] : [`grant ${what} on ${on} to ${to}`];
        }),
        // A warning, and no error, where this is another owner's to give.
        ...beyondTables(role).map(
          ([what, on]) => `grant ${what} on ${on} ${on === 'schema' ? inSchema : onDatabase} to ${to}`,
        ),
      ].join('; '),
    );
  }
  const warnings: string[] = [];
  for (const { role, name } of roles) {
    for (const [what, on] of beyondTables(role)) {
      const { rows } = await client.query<{ has: boolean }>(`select has_${on}_privilege($1, $2, $3) as has`, [
        name,
        on === 'schema' ? schema : database,
        what,
      ]);
      if (rows[0]?.has) continue;
      const object = `${on.toUpperCase()} ${on === 'schema' ? inSchema : onDatabase}`;
      warnings.push(
        `have an administrator run: GRANT ${what.toUpperCase()} ON ${object} TO ${escapeIdentifier(name)};`,
      );
    }
  }
  const { rows } = await client.query<{ may: boolean }>(
    `select has_schema_privilege('public', $1, 'CREATE') as may`,
    [schema],
  );
  if (rows[0]?.may) {
    warnings.push(
      `every role may create tables and functions in the schema ${schema}; have an administrator run: REVOKE CREATE ON SCHEMA ${inSchema} FROM PUBLIC;`,
    );
  }
  return warnings;
}

/** `audit` makes temporary tables. */
function beyondTables(role: RoleName): ['usage' | 'connect' | 'temporary', 'schema' | 'database'][] {
  const temporary = role === 'reader' || role === 'operator';
  return [
    ['usage', 'schema'],
    ['connect', 'database'],
    ...(temporary ? [['temporary', 'database'] as ['temporary', 'database']] : []),
  ];
}

/** Of which roles the session's own has all rights on the tables, however it came to them. */
export async function rolesHeld(pool: pg.Pool): Promise<RoleName[]> {
  const all = roleNames.flatMap((role) => eachRight(role).map((right) => ({ role, column: null, ...right })));
  const { rows } = await pool.query<{ role: RoleName }>(
    `select role from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as r (role, name, privilege, "column")
     left join pg_class c on c.relname = r.name and c.relnamespace = $1::regnamespace
     group by role having bool_and(coalesce(case when "column" is null then has_table_privilege(c.oid, privilege)
       else has_column_privilege(c.oid, "column", privilege) end, false))`,
    [
      escapeIdentifier(schemaOf(pool)),
      ...[
        all.map((r) => r.role),
        all.map((r) => r.table),
        all.map((r) => r.privilege),
        all.map((r) => r.column),
      ],
    ],
  );
  const held = rows.map(({ role }) => role);
  return roleNames.filter((role) => held.includes(role));
}
