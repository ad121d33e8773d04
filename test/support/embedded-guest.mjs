/** A process that uses an embedded PostgreSQL: options as JSON in its argument, one SQL statement a line on stdin. */
import process from 'node:process';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { useEmbeddedPostgres } from '../../dist/lib/systems/database/embedded/keeper/use.js';

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const options = JSON.parse(process.argv[2]);
try {
  const postgres = await useEmbeddedPostgres(options);
  say({ connection: postgres.connection });
  for await (const sql of createInterface({ input: process.stdin })) {
    const client = new pg.Client(postgres.connection);
    client.on('error', () => undefined);
    await client.connect();
    say((await client.query(sql)).rows);
    await client.end();
  }
  await postgres[Symbol.asyncDispose]();
} catch ({ code, message, hint }) {
  say({ error: { code, message, hint } });
  process.exit(1);
}
