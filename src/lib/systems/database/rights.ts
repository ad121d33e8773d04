/** What each SQL role of an installation may do to which table: grants, checks and hints are made from this one table. */

/**
 * `producer` uploads, produces, watches and serves; `consumer` consumes; `reader` looks at everything and changes nothing;
 * `operator` runs every command but `init`, which the tables' owner runs.
 */
export const roleNames = ['producer', 'consumer', 'reader', 'operator'] as const;
export type RoleName = (typeof roleNames)[number];

/** As GRANT has them. Rows that are locked (FOR UPDATE, FOR SHARE) need UPDATE on a column. */
interface Rights {
  producer?: string;
  consumer?: string;
  /** SELECT unless said otherwise. */
  reader?: string;
  /** SELECT, INSERT, UPDATE, DELETE unless said otherwise. */
  operator?: string;
}

const letterOutcome = 'state, closed_at, attempts, last_at, stage, code, message, hostname, image_key';

/** Every table of the migrations; a unit test knows if one is missing. */
export const rights: Readonly<Record<string, Rights>> = {
  schema_migrations: { producer: 'select', consumer: 'select', operator: 'select' },
  image_info: {
    producer: 'select, insert, update (sha256, bytes, content_type, uploaded_at, round, produced_at)',
  },
  produce_rounds: { producer: 'select, insert, update (images, completed_at)' },
  // `serve` answers with outcomes, and never with what was in a message.
  prediction_results: { producer: 'select', consumer: 'select, insert' },
  dead_letters: {
    producer: 'select (pipeline, request_id, image_key, state, stage, code, message, last_at)',
    consumer: `select, insert, update (${letterOutcome})`,
  },
  ingested: { producer: 'select, insert, delete' },
  positions: { consumer: 'select, insert, update' },
  owners: { consumer: 'select, insert, update' },
  consumers: { consumer: 'select, insert, update, delete' },
  belt_references: { consumer: 'select, insert, delete' },
  suspects: { consumer: 'select, insert, update, delete' },
  outbox: { consumer: 'select, insert, update (refused), delete' },
  models: { consumer: 'select' },
  active_models: { consumer: 'select' },
  belt_models: { consumer: 'select' },
  bin_versions: { producer: 'select', consumer: 'select' },
  active_bins: { producer: 'select', consumer: 'select' },
  switches: {},
  belt_switches: {},
  corrections: {},
  // The topic in PostgreSQL: a consumer also publishes to the topics of results, and deletes what all have read.
  topic_heads: {
    producer: 'select, update (next_offset, bytes)',
    consumer: 'select, update (first_offset, next_offset, bytes)',
  },
  topic_records: { producer: 'insert', consumer: 'select, insert, delete' },
  topic_commits: { consumer: 'select, insert, update' },
  topic_members: { consumer: 'select, insert, update, delete' },
  topic_holders: { consumer: 'select, insert, update, delete' },
};

const otherwise: Rights = { reader: 'select', operator: 'select, insert, update, delete' };

/** What a role may do to a table, as GRANT has it; undefined: nothing. */
export function rightsOf(role: RoleName, table: string): string | undefined {
  return rights[table]?.[role] ?? otherwise[role];
}

export interface Right {
  table: string;
  privilege: string;
  /** Absent: the whole table. */
  column?: string;
}

/** One by one. */
export function eachRight(role: RoleName): Right[] {
  return Object.keys(rights).flatMap((table) =>
    [...(rightsOf(role, table) ?? '').matchAll(/(\w+)(?: \(([^)]*)\))?/g)].flatMap(
      ([, privilege = '', columns]): Right[] =>
        columns === undefined
          ? [{ table, privilege }]
          : columns.split(', ').map((column) => ({ table, privilege, column })),
    ),
  );
}

/** Roles belong to the whole server: database and schema are in their names, so that installations do not share one. */
export function rolePrefix(database: string, schema: string): string {
  return ['visionscale', database, ...(schema === 'public' ? [] : [schema])].join('_');
}

export function roleFullName(prefix: string, role: RoleName): string {
  return `${prefix}_${role}`;
}
