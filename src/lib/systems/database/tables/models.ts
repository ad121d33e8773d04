/** The tables models and active_models: what is published, and what a pipeline's consumers are to run. */
import type { Pool } from 'pg';
import { underLock } from '../lock-holder.ts';
import { recordSwitch } from './switches.ts';

export interface PublishedModel {
  digest: string;
  name: string;
  version: string;
  manifest: unknown;
  bytes: number;
}

const columns = 'digest, name, version, manifest, bytes';

/** The same digest again only renames it. */
export async function savePublished(pool: Pool, model: PublishedModel): Promise<void> {
  await pool.query(
    `insert into models (${columns}) values ($1, $2, $3, $4, $5)
     on conflict (digest) do update set name = excluded.name, version = excluded.version, manifest = excluded.manifest`,
    [model.digest, model.name, model.version, JSON.stringify(model.manifest), model.bytes],
  );
}

export async function readPublished(pool: Pool, digest: string): Promise<PublishedModel | null> {
  const { rows } = await pool.query<PublishedModel>(`select ${columns} from models where digest = $1`, [
    digest,
  ]);
  return rows[0] ?? null;
}

export interface ListedModel extends Omit<PublishedModel, 'bytes'> {
  /** How many: the manifest is without them. */
  labels: number;
  publishedAt: Date;
}

/** The latest published first. */
export async function listPublished(pool: Pool, limit: number): Promise<ListedModel[]> {
  const { rows } = await pool.query<ListedModel>(
    `select digest, name, version, manifest - 'labels' as manifest, published_at as "publishedAt",
       coalesce(jsonb_array_length(manifest->'labels'), 0) as labels from models
     order by published_at desc, digest limit $1`,
    [limit],
  );
  return rows;
}

/** The model that the pipeline's consumers are to run; null where nobody has said. */
export async function readActiveModel(
  pool: Pool,
  pipeline: string,
): Promise<Omit<PublishedModel, 'manifest'> | null> {
  const { rows } = await pool.query<PublishedModel>(
    'select digest, name, version, bytes from models join active_models using (digest) where pipeline = $1',
    [pipeline],
  );
  return rows[0] ?? null;
}

/** Its digest alone. */
export async function readActiveDigest(pool: Pool, pipeline: string): Promise<string | null> {
  const { rows } = await pool.query<{ digest: string }>(
    'select digest from active_models where pipeline = $1',
    [pipeline],
  );
  return rows[0]?.digest ?? null;
}

/** Makes the pipeline's consumers switch to it; what was chosen before is in the history. */
export async function setActiveDigest(
  pool: Pool,
  pipeline: string,
  digest: string,
  account?: string,
): Promise<void> {
  await underLock(pool, `model ${pipeline}`, async (client) => {
    const { rows } = await client.query<{ digest: string }>(
      'select digest from active_models where pipeline = $1',
      [pipeline],
    );
    const former = rows[0]?.digest ?? null;
    if (former === digest) return;
    await client.query(
      `insert into active_models (pipeline, digest) values ($1, $2)
       on conflict (pipeline) do update set digest = excluded.digest, changed_at = now()`,
      [pipeline, digest],
    );
    await recordSwitch(client, pipeline, 'model', { former, current: digest }, account);
  });
}

/** Those of these digests that are published. */
export async function readPublishedNames(
  pool: Pool,
  digests: readonly string[],
): Promise<Pick<PublishedModel, 'digest' | 'name' | 'version'>[]> {
  const { rows } = await pool.query<PublishedModel>(
    'select digest, name, version from models where digest = any($1)',
    [digests],
  );
  return rows;
}
