/** `--follow`: a line for each row that is written from now on, until Ctrl-C. */
import type { Pool } from 'pg';
import { printable } from '../../lib/base/printable.ts';
import {
  rowsFromNow,
  type Streamed,
  type StreamPage,
  type StreamPlace,
} from '../../lib/systems/database/tables/stream.ts';
import { jsonText } from './lines.ts';
import { patientStart } from './opening.ts';
import type { Context } from './run.ts';
import { Waiting } from './service-log.ts';

interface Followed<Row> {
  after: (place: StreamPlace, limit: number) => Promise<StreamPage<Row>>;
  /** What --json prints of a row, and what is printed else; null: nothing. */
  shown: (row: Streamed<Row>) => { document: unknown; line: string } | null;
}

/** A database that goes away is waited for, and nothing is passed over. */
export async function follow<Row>(
  context: Context,
  pool: Pool,
  { after, shown }: Followed<Row>,
): Promise<void> {
  const { json, signal } = context;
  using waiting = new Waiting(context.log);
  const patiently = patientStart(context, waiting);
  const onBegun = () => context.log.info('waiting for new ones (Ctrl-C stops)');
  for await (const row of rowsFromNow(pool, after, { patiently, signal, onBegun })) {
    const one = shown(row);
    if (one !== null) process.stdout.write(`${json ? jsonText(one.document) : printable(one.line)}\n`);
  }
}
