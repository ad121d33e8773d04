// Samples processes for the soak: resident memory, open files, threads, and PostgreSQL's connections; then compares.
import console from 'node:console';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const [first, ...rest] = process.argv.slice(2);
if (first === 'report') report(rest[0]);
else await sample(first, Number(rest[0]), rest.slice(1));

async function sample(file, seconds, pids) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  for (const began = performance.now(); performance.now() - began < seconds * 1000; await sleep(15_000)) {
    const { rows } = await client.query(
      `select (select count(*)::int from pg_stat_activity where datname = 'soak') as connections,
         (select count(*)::int from prediction_results) as rows`,
    );
    appendFileSync(file, `${JSON.stringify({ at: Date.now(), ...rows[0], processes: pids.map(look) })}\n`);
  }
  const { rows } = await client.query(
    `select count(*)::int as predictions, percentile_cont(array[0.5, 0.99]) within group (order by latency_ms) as latency
     from prediction_results`,
  );
  console.log(JSON.stringify(rows[0]));
  await client.end();
}

function look(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const value = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  return {
    rss: value('VmRSS') / 1024,
    files: readdirSync(`/proc/${pid}/fd`).length,
    threads: value('Threads'),
  };
}

/** Medians of the first fifth, after a minute of warming up, and of the last fifth. */
function report(file) {
  const samples = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const warm = samples.filter(({ at }) => at - samples[0].at > 60_000);
  const fifth = Math.max(1, Math.floor(warm.length / 5));
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const compare = (name, get) => {
    const [a, b] = [warm.slice(0, fifth), warm.slice(-fifth)].map((part) => median(part.map(get)));
    console.log(`${name}: ${a.toFixed(1)} -> ${b.toFixed(1)}`);
  };
  samples[0].processes.forEach((_, n) => {
    for (const what of ['rss', 'files', 'threads'])
      compare(
        `consumer ${n}, ${what}${what === 'rss' ? ' (MiB)' : ''}`,
        (sample) => sample.processes[n][what],
      );
  });
  compare('connections', (sample) => sample.connections);
  console.log(
    `rows: ${samples[0].rows} -> ${samples.at(-1).rows} in ${((samples.at(-1).at - samples[0].at) / 60_000).toFixed(1)} min`,
  );
}
