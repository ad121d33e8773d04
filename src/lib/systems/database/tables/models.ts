/** The tables models and active_models: what is published, and what a pipeline's consumers are to run. */
import type { Pool } from 'pg';

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

export async function setActiveDigest(pool: Pool, pipeline: string, digest: string): Promise<void> {
  await pool.query(
    `insert into active_models (pipeline, digest) values ($1, $2)
     on conflict (pipeline) do update set digest = excluded.digest, changed_at = now()`,
    [pipeline, digest],
  );
}
