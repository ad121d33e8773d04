/** Checks of what a command would open: database, clock, topic, object store, model. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { counted } from '../../base/report/table.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import { pendingMigrations } from '../../systems/database/migrate.ts';
import type { Database } from '../../systems/database/open.ts';
import { rolesHeld } from '../../systems/database/roles.ts';
import {
  permissionHint,
  requireFit,
  schemaOf,
  type Session,
  sessionOf,
} from '../../systems/database/session.ts';
import { readActiveModel } from '../../systems/database/tables/models.ts';
import { readOwners } from '../../systems/database/tables/owners.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { Check } from './doctor.ts';

/** Rows and leases use the database's clock; capture times come from the hosts'. */
const mostClockDifferenceMs = 100;

export function databaseChecks(open: () => Promise<Database>): Check[] {
  return [
    {
      name: 'database',
      needed: true,
      run: async () => {
        const database = await open();
        requireFit(database.pool);
        const { rows } = await database.pool.query<{ version: string; standby: boolean }>(
          `select current_setting('server_version') as version, pg_is_in_recovery() as standby`,
        );
        if (rows[0]?.standby) {
          throw new VisionscaleError(`${database.describe} is a standby: nothing can be written there`, {
            code: 'database_read_only',
            hint: 'Set DATABASE_URL to the primary.',
          });
        }
        const session = sessionOf(database.pool);
        return [
          `${database.describe}, PostgreSQL ${rows[0]?.version}`,
          ...(database.kind === 'embedded' ? ['embedded'] : []),
          ...(session?.pooled ? ['behind a pooler'] : []),
          ...putRight(session),
        ].join(', ');
      },
    },
    {
      name: 'tables',
      needed: true,
      run: async () => {
        const { pool } = await open();
        const schema = schemaOf(pool);
        const pending = await pendingMigrations(pool);
        if (pending.length > 0) {
          throw new VisionscaleError(`${pending.length} migrations are not applied`, {
            code: 'schema_outdated',
            hint: 'visionscale init',
          });
        }
        const held = await rolesHeld(pool);
        const where = schema === 'public' ? '' : ` in the schema ${schema}`;
        const session = sessionOf(pool);
        if (held.length === 0) {
          throw new VisionscaleError(
            `role ${session?.role ?? ''} has the rights of no command on the tables${where}`,
            { code: 'database_permission_denied', ...(session && { hint: permissionHint(session, schema) }) },
          );
        }
        const all = held.includes('operator');
        const found = `up to date, ${all ? 'readable and writable' : `with the rights of ${held.join(' and ')}`}${where}`;
        const temporary = await pool.query<{ may: boolean }>(
          `select has_database_privilege(current_database(), 'TEMPORARY') as may`,
        );
        if (temporary.rows[0]?.may || !held.includes('reader')) return found;
        return {
          warning: `${found}; \`audit\` may not make its temporary tables`,
          hint: `GRANT TEMPORARY ON DATABASE … TO ${pg.escapeIdentifier(session?.role ?? '…')};`,
        };
      },
    },
    {
      name: 'clock',
      needed: false,
      run: async () => {
        const { pool } = await open();
        const difference = await clockDifference(pool);
        const text = `${Math.abs(difference).toFixed(0)} ms ${difference > 0 ? 'behind' : 'ahead of'} the database's`;
        if (Math.abs(difference) <= mostClockDifferenceMs) return text;
        return {
          warning: text,
          hint: 'Latencies will be off by as much: synchronise the clock with NTP (chrony, systemd-timesyncd).',
        };
      },
    },
  ];
}

/** Settings that would be otherwise by the role's, the database's or the server's configuration. */
function putRight(session: Session | undefined): string[] {
  const names = Object.keys(session?.set ?? {});
  return names.length === 0 ? [] : [`sets for itself: ${names.join(', ')}`];
}

/** Database minus host in milliseconds; of several tries the one with the shortest round trip. */
async function clockDifference(pool: Database['pool']): Promise<number> {
  let best = { trip: Infinity, difference: 0 };
  for (let i = 0; i < 5; i++) {
    const before = Date.now();
    const { rows } = await pool.query<{ ms: number }>(
      'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
    );
    const after = Date.now();
    if (after - before < best.trip)
      best = { trip: after - before, difference: rows[0]!.ms - (before + after) / 2 };
  }
  return best.difference;
}

export function topicCheck(open: () => Promise<Topic>, wanted: number): Check {
  return {
    name: 'topic',
    needed: true,
    run: async () => {
      const topic = await open();
      const partitions = await topic.partitions();
      const what = `${topic.name}${topic.kind === 'embedded' ? ', in the database' : ', in Kafka'}`;
      if (partitions === 0) return { warning: `${what}: does not exist yet`, hint: 'visionscale init' };
      if (partitions !== wanted) {
        return {
          warning: `${what}: ${partitions} partitions, the settings say ${wanted}`,
          hint:
            partitions < wanted
              ? `Add the others: visionscale topic grow --partitions ${wanted}. Or set VISIONSCALE_PARTITIONS=${partitions}.`
              : `Run a consumer for each of the ${partitions}, or set VISIONSCALE_PARTITIONS=${partitions}.`,
        };
      }
      return `${what}: ${partitions} partitions`;
    },
  };
}

/** Whether every partition has a consumer, and all of them run the pipeline's model. */
export function consumersCheck(
  openDatabase: () => Promise<Database>,
  openTopic: () => Promise<Topic>,
  pipeline: string,
): Check {
  return {
    name: 'consumers',
    needed: false,
    run: async () => {
      const [{ pool }, topic] = await Promise.all([openDatabase(), openTopic()]);
      const [owners, partitions, active] = await Promise.all([
        readOwners(pool, pipeline, topic.name),
        topic.partitions(),
        readActiveModel(pool, pipeline),
      ]);
      const live = owners.filter(({ owner, live }) => owner !== null && live);
      const owned = new Set(live.map(({ partition }) => partition));
      const free = [...Array(partitions).keys()].filter((partition) => !owned.has(partition));
      if (free.length > 0) {
        return {
          warning: `no consumer owns ${free.length === 1 ? 'partition' : 'partitions'} ${free.join(', ')}`,
          hint: 'visionscale consume takes all partitions without an owner.',
        };
      }
      const others = live.filter(({ modelDigest }) => active !== null && modelDigest !== active.digest);
      if (active !== null && others.length > 0) {
        const names = others.map(
          ({ partition, owner, model }) => `${owner} (partition ${partition}): ${model}`,
        );
        return {
          warning: `the pipeline's model is ${active.name} ${active.version}, but another one runs on ${names.join(', ')}`,
          hint: 'A switch takes a moment. Consumers started with --model keep theirs; the logs of the others say why.',
        };
      }
      return `${new Set(live.map(({ owner }) => owner)).size} own ${owned.size} partitions`;
    },
  };
}

export function storeCheck(open: () => Promise<ObjectStore>, maxBytes: number): Check {
  return {
    name: 'object store',
    needed: true,
    run: async () => {
      const store = await open();
      // Throws where listing is not allowed: a missing image then looks like a missing right, and consumers pause.
      if (!(await store.exists())) {
        throw new VisionscaleError(`${store.url} does not exist`, {
          code: 'bucket_missing',
          hint: 'visionscale init',
        });
      }
      const key = `.visionscale-doctor/${randomBytes(8).toString('hex')}`;
      const probe = randomBytes(32);
      try {
        await store.put(key, probe, { contentType: 'application/octet-stream' });
      } catch (error) {
        if (!isDenied(error)) throw error;
        await proveReadable(store, key, maxBytes);
        return {
          warning: `${store.url}: can be listed and read, but not written: ${errorMessage(error)}`,
          hint: 'Enough for `consume`. `upload` and `model use` need s3:PutObject.',
        };
      }
      try {
        const read = await store.get(key, { maxBytes });
        if (!read.equals(probe)) {
          throw new VisionscaleError(`${store.url} gave back other bytes than it was given`, {
            code: 'store_corrupts',
          });
        }
      } catch (error) {
        await store.remove(key).catch(() => undefined);
        throw error;
      }
      try {
        await store.remove(key);
      } catch (error) {
        if (!isDenied(error)) throw error;
        return {
          warning: `${store.url}: written and read, but ${key} could not be deleted: ${errorMessage(error)}`,
          hint: 'Only doctor deletes objects: it needs s3:DeleteObject on .visionscale-doctor/*.',
        };
      }
      return `${store.url}: written, read and removed`;
    },
  };
}

function isDenied(error: unknown): boolean {
  return error instanceof VisionscaleError && error.code === 'access_denied';
}

/** Throws unless an object that is missing is said to be missing. */
async function proveReadable(store: ObjectStore, missing: string, maxBytes: number): Promise<void> {
  try {
    await store.get(missing, { maxBytes });
  } catch (error) {
    if (!(error instanceof VisionscaleError && error.code === 'not_found')) throw error;
  }
}

export function modelCheck(open: () => Promise<Classifier>, given: boolean): Check {
  return {
    name: 'model',
    needed: given,
    run: async () => {
      await using classifier = await open();
      const { model, engine, workers } = classifier;
      return `${model.name} ${model.version}, ${model.labels.length} categories, engine ${engine}, ${counted(workers, 'worker')}`;
    },
  };
}
