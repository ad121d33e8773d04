/** Predictions as a table in a file, CSV or Apache Parquet: the columns that tools can sort by. */
import type { parquetWriteBuffer } from 'hyparquet-writer';
import { UsageError } from '../../lib/base/errors.ts';
import { unwrittenFile, writeSynced } from '../../lib/base/files/disk.ts';
import type { ResultRow } from '../../lib/systems/database/tables/predictions.ts';

type Column = Parameters<typeof parquetWriteBuffer>[0]['columnData'][number];

/** With their types in Parquet. */
export const fileColumns = {
  imageKey: 'STRING',
  category: 'STRING',
  confidence: 'DOUBLE',
  hostname: 'STRING',
  processedAt: 'TIMESTAMP',
  model: 'STRING',
  modelVersion: 'STRING',
  latencyMs: 'DOUBLE',
  bin: 'STRING',
  binReason: 'STRING',
  belt: 'STRING',
  id: 'STRING',
  novelty: 'DOUBLE',
} as const satisfies Record<string, Column['type']>;

export function flattened({ model, processedAt, ...row }: ResultRow) {
  return { ...row, processedAt: new Date(processedAt), model: model.name, modelVersion: model.version };
}

/** Throws a UsageError where there is such a file. */
export async function writeParquet(path: string, rows: readonly ResultRow[]): Promise<void> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const flat = rows.map(flattened);
  const columnData = Object.entries(fileColumns).map(([name, type]) => ({
    name,
    type,
    data: flat.map((row) => row[name as keyof typeof fileColumns]),
  }));
  try {
    await writeSynced(path, new Uint8Array(parquetWriteBuffer({ columnData })));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwrittenFile(error, path);
    throw new UsageError(`${path} already exists`, 'Choose another file, or delete this one.');
  }
}
