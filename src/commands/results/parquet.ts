/** Predictions as an Apache Parquet file: a column for each that the table has and tools can sort by. */
import { parquetWriteBuffer } from 'hyparquet-writer';
import { UsageError } from '../../lib/base/errors.ts';
import { writeSynced } from '../../lib/base/files/disk.ts';
import type { ResultRow } from '../../lib/systems/database/tables/predictions.ts';

type Column = Parameters<typeof parquetWriteBuffer>[0]['columnData'][number];

const types = {
  imageKey: 'STRING',
  category: 'STRING',
  confidence: 'DOUBLE',
  hostname: 'STRING',
  time: 'TIMESTAMP',
  model: 'STRING',
  modelVersion: 'STRING',
  latencyMs: 'DOUBLE',
  bin: 'STRING',
  binReason: 'STRING',
  belt: 'STRING',
} as const satisfies Partial<Record<keyof ResultRow, Column['type']>>;

/** Throws a UsageError where there is such a file. */
export async function writeParquet(path: string, rows: readonly ResultRow[]): Promise<void> {
  const columnData = Object.entries(types).map(([name, type]) => ({
    name,
    type,
    data: rows.map((row) => row[name as keyof typeof types]),
  }));
  try {
    await writeSynced(path, new Uint8Array(parquetWriteBuffer({ columnData })));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError(`${path} is there already`, 'Choose another file, or delete this one.');
  }
}
