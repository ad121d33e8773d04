/** Holds what is in the database against what is in the topic and what was sent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { header, type TopicRecord } from '../../src/lib/systems/message/record.ts';
import { positionRequestId, producedRequestId } from '../../src/lib/systems/message/request.ts';
import { run } from './binary.ts';
import type { Expected } from './images.ts';
import type { Counted } from './report.ts';
import { ourName, type Stage } from './stage.ts';
import { seenByWitness } from './witness.ts';

/** How long a connection of a process that has ended may still show, ms. */
const connectionMs = 40_000;
/** Only so many of one sort are told. */
const mostTold = 10;

interface Row {
  request_id: string;
  image_key: string | null;
  /** Of a prediction, or the code of a dead letter. */
  answer: string;
}

export async function verify(stage: Stage): Promise<{ problems: string[]; counts: Counted }> {
  const { inspector } = stage.world;
  const problems = new Problems();
  const log = await readLog(stage);
  const expected = expectedOf(stage, log, problems);
  const predictions = await inspector.rows<Row>(
    'select request_id, image_key, category as answer from prediction_results',
  );
  const letters = await inspector.rows<Row>('select request_id, image_key, code as answer from dead_letters');
  compare(expected, predictions, letters, problems);
  await audited(stage, problems);
  await leaks(stage, problems);
  for (const seen of await seenByWitness(inspector)) problems.add('witness', seen);
  exits(stage, problems);
  const good = [...expected.values()].filter((e) => 'category' in e).length;
  const { poison, duplicates, resent } = stage.world.belt.counts;
  return {
    problems: problems.told(),
    counts: {
      messages: log.length,
      requests: expected.size,
      good,
      bad: expected.size - good,
      predictions: predictions.length,
      deadLetters: letters.length,
      duplicates: log.length - expected.size,
      sentAgain: duplicates,
      resent,
      poison,
      lost: problems.count('lost'),
      doubled: problems.count('doubled'),
    },
  };
}

class Problems {
  readonly #found = new Map<string, string[]>();

  add(sort: string, text: string): void {
    this.#found.set(sort, [...(this.#found.get(sort) ?? []), text]);
  }

  count(sort: string): number {
    return this.#found.get(sort)?.length ?? 0;
  }

  told(): string[] {
    return [...this.#found].flatMap(([sort, all]) => [
      ...all.slice(0, mostTold).map((text) => `${sort}: ${text}`),
      ...(all.length > mostTold ? [`${sort}: and ${all.length - mostTold} more`] : []),
    ]);
  }
}

/** The topic itself says what was sent. */
async function readLog({ topic, world }: Stage): Promise<TopicRecord[]> {
  const log: TopicRecord[] = [];
  for (let partition = 0; partition < world.partitions; partition++) {
    const { first, end } = await topic.bounds(partition);
    if (end === first) continue;
    await using reader = await topic.reader({
      partition,
      from: first,
      group: 'faults',
      prefetchRecords: 500,
    });
    const enough = new AbortController();
    for await (const record of reader.records(enough.signal)) {
      log.push(record);
      if (record.offset + 1 >= end) enough.abort();
    }
  }
  return log;
}

/** Every request in the log, by its id, and what it must have become. */
function expectedOf({ world, images }: Stage, log: TopicRecord[], problems: Problems): Map<string, Expected> {
  const { belt } = world;
  const sent = new Map<string, Expected>(belt.expected);
  for (const [key, expected] of images.expected) sent.set(producedRequestId(key, 1), expected);
  const expected = new Map<string, Expected>();
  for (const record of log) {
    const given = record.headers[header.requestId];
    const id = given ?? positionRequestId(record.topic, record.partition, record.offset, record.timestamp);
    const value = record.value?.toString('hex') ?? '';
    const outcome = given === undefined ? belt.expectedByValue.get(value) : sent.get(given);
    if (outcome) expected.set(id, outcome);
    else problems.add('never sent', `${id} is in the topic`);
  }
  for (const id of sent.keys()) if (!expected.has(id)) problems.add('lost', `${id} never reached the topic`);
  return expected;
}

function compare(
  expected: Map<string, Expected>,
  predictions: Row[],
  letters: Row[],
  problems: Problems,
): void {
  const outcomes = new Map<string, string[]>();
  const note = (row: Row, what: string, isRight: (expected: Expected) => boolean) => {
    const outcome = expected.get(row.request_id);
    outcomes.set(row.request_id, [...(outcomes.get(row.request_id) ?? []), what]);
    if (!outcome) problems.add('never sent', `${row.request_id} has ${what}`);
    else if (!isRight(outcome)) {
      problems.add(
        'wrong',
        `${row.request_id} (${row.image_key}) has ${what}, not ${JSON.stringify(outcome)}`,
      );
    }
  };
  for (const row of predictions) {
    note(row, `a prediction ${row.answer}`, (e) => 'category' in e && e.category === row.answer);
  }
  for (const row of letters) {
    note(row, `a dead letter ${row.answer}`, (e) => 'codes' in e && e.codes.includes(row.answer));
  }
  for (const id of expected.keys()) {
    const found = outcomes.get(id)?.length ?? 0;
    if (found === 0) problems.add('lost', `${id} has no outcome`);
    if (found > 1) problems.add('doubled', `${id} has ${outcomes.get(id)!.join(' and ')}`);
  }
}

/** What the product itself says of all this. */
async function audited({ world }: Stage, problems: Problems): Promise<void> {
  const { code, stdout, stderr } = await run(['audit', '--json'], world.dir, world.env);
  if (code === 0) return;
  problems.add('audit', `ended with ${code}: ${stdout.slice(0, 2000)} ${stderr.slice(0, 500)}`);
}

async function leaks({ world }: Stage, problems: Problems): Promise<void> {
  const { inspector } = world;
  for (const row of await inspector.rows<{ partition: number; owner: string }>(
    'select partition, owner from owners where owner is not null',
  )) {
    problems.add('leak', `partition ${row.partition} is still leased to ${row.owner}`);
  }
  const deadline = performance.now() + connectionMs;
  for (;;) {
    const open = await inspector.rows<{
      pid: number;
      application_name: string;
      state: string;
      query: string;
    }>(
      `select pid, application_name, state, left(query, 80) as query from pg_stat_activity
       where backend_type = 'client backend' and application_name <> $1 and datname = current_database()`,
      [ourName],
    );
    if (open.length === 0) return;
    if (performance.now() > deadline) {
      for (const one of open) problems.add('leak', `a connection is still open: ${JSON.stringify(one)}`);
      return;
    }
    await sleep(250);
  }
}

/** A process that ended by itself, where nobody had asked it to. */
function exits({ world }: Stage, problems: Problems): void {
  for (const consumer of world.consumers) {
    for (const { at, start, code, signal, meant } of consumer.exits) {
      if (meant) continue;
      const when = new Date(at).toISOString();
      problems.add(
        'ended by itself',
        `${consumer.name}-${start} at ${when} with ${signal ?? code}: see its log`,
      );
    }
  }
}
