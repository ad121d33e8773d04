/** `--follow`: a line for each row that is written from now on, until Ctrl-C. */
import type { Pool } from 'pg';
import { pause } from '../../lib/base/flow/waiting.ts';
import { printable } from '../../lib/base/printable.ts';
import {
  type Streamed,
  streamEnd,
  type StreamPage,
  type StreamPlace,
} from '../../lib/systems/database/tables/stream.ts';
import { jsonText } from './lines.ts';
import { patientStart } from './opening.ts';
import type { Context } from './run.ts';
import { Waiting } from './service-log.ts';

/** How often new rows are looked for, in milliseconds, and how many at a time. */
const lookMs = 500;
const pageSize = 500;

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
  try {
    let place = await patiently(() => streamEnd(pool));
    context.log.info('waiting for new ones (Ctrl-C stops)');
    while (!signal.aborted) {
      const page = await patiently(() => after(place, pageSize));
      place = page.upTo;
      for (const row of page.rows) {
        const one = shown(row);
        if (one !== null) process.stdout.write(`${json ? jsonText(one.document) : printable(one.line)}\n`);
      }
      if (page.rows.length < pageSize) await pause(lookMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
