/** The page of `status`: its last line, and that it fits a terminal. */
import { describe, expect, it } from 'vitest';
import { unmarked } from '../../../src/lib/base/report/style.ts';
import { wrapped } from '../../../src/lib/base/report/table.ts';
import { type PartitionStatus, partitionStatus } from '../../../src/lib/pipeline/partition-status.ts';
import { statusPage } from '../../../src/lib/pipeline/status-page.ts';
import { shortOwner, statusVerdict, type StatusVerdict } from '../../../src/lib/pipeline/status-verdict.ts';
import { fallenSilent, type Status } from '../../../src/lib/pipeline/status.ts';
import type { ConsumerRow, Drift } from '../../../src/lib/systems/database/tables/consumers.ts';
import type { OwnerRow } from '../../../src/lib/systems/database/tables/owners.ts';

const now = new Date('2026-11-28T10:00:00Z');
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000);

function partition(given: Partial<PartitionStatus> = {}): PartitionStatus {
  return {
    ...{
      partition: 0,
      lag: 0,
      owner: 'belt-1.example.com:11546:43ad08',
      hostname: 'belt-1.example.com',
      epoch: 1,
    },
    ...{
      state: 'consuming',
      since: before(125),
      detail: null,
      model: 'parts',
      modelDigest: 'sha256:45efc19a00',
    },
    ...{ engine: 'onnx', position: 7 },
    ...given,
  };
}

function consumer(given: Partial<ConsumerRow> = {}): ConsumerRow {
  return {
    ...{
      owner: 'belt-1.example.com:11546:43ad08',
      pipeline: 'p',
      topic: 't',
      hostname: 'belt-1.example.com',
    },
    ...{ share: 'partition', partition: 0, state: 'consuming', detail: null, model: 'parts', live: true },
    ...{
      modelDigest: 'sha256:45efc19a00',
      engine: 'onnx',
      imagesLastMinute: 120,
      since: before(125),
      drift: null,
      cpuCores: 1.834,
      memoryBytes: 351_272_960,
    },
    ...{ startedAt: before(7500), heardAt: before(1) },
    ...given,
  };
}

function found(given: Partial<Status> = {}): Status {
  const base: Omit<Status, 'verdict'> = {
    ...{ pipeline: 'default', topic: 'visionscale.images', images: 12, produced: 12, predictions: 12 },
    ...{
      deadLetters: 0,
      ignored: 0,
      deadLettersByCode: {},
      partitions: [partition()],
      bins: null,
      round: null,
    },
    model: { active: 'parts 1', digest: 'sha256:45efc19a00', belts: [], disagreement: false },
    unpublished: { results: 0, deadLetters: 0, oldestSeconds: null },
    refused: { results: 0, deadLetters: 0, reason: null },
    problems: [],
    consumers: [consumer()],
    silent: [],
    drift: [],
    servers: {
      database: { reachable: true, reason: null },
      topic: { reachable: true, reason: null },
      store: { reachable: true, reason: null },
    },
    ...{ time: now, lastPrediction: before(3), lastPredictionAgeSeconds: 3 },
    ...given,
  };
  return { ...base, verdict: statusVerdict(base) };
}

const free = { owner: null, hostname: null, state: 'free', model: null, modelDigest: null, engine: null };
const away = (reason: string) => ({ reachable: false, reason });

describe('the last line of status', () => {
  const says = (given: Partial<Status>) => found(given).verdict;

  it('is that all is well', () => {
    expect(says({})).toEqual({
      ...{ ok: true, kind: 'well', text: 'All well: every message is answered.' },
      ...{ finding: 'All well: every message is answered.', command: null },
    });
    expect(says({ partitions: [partition({ lag: 5 })] })).toMatchObject({
      ok: true,
      text: 'All well: 5 messages left, and every partition has a consumer.',
    });
    expect(says({ consumers: [], partitions: [partition(free)] })).toMatchObject({
      ok: true,
      text: 'All well: every message is answered. No consumer is running: visionscale consume',
    });
  });

  it('names a belt that has changed, and the command that shows its images', () => {
    const drift: Drift = {
      ...{ belt: 'north', model: { name: 'parts', version: '1', digest: 'sha256:ab' }, kind: 'unknown' },
      ...{ since: before(600).toISOString(), from: 1, to: 9, category: null },
    };
    const verdict = says({ drift: [drift, { ...drift, belt: 'south' }] });
    expect(verdict).toMatchObject({ ok: true, kind: 'drift' });
    expect(verdict.text).toMatch(
      /^All well, but belt north: since \d\d:\d\d unknown rose from 1 % to 9 % \(and 1 more\): visionscale results export --belt north --since 2026-11-28T09:50:00Z \.\/drift$/,
    );
    const page = unmarked(statusPage(found({ drift: [drift] }), 300));
    expect(page).toMatch(/^belt north: since \d\d:\d\d unknown rose from 1 % to 9 %$/m);
    expect(page).toContain('visionscale model accept');
  });

  it('names a partition that has messages and no consumer, and the command', () => {
    const alone = [partition(), partition({ ...free, partition: 1, lag: 120 })];
    expect(says({ partitions: alone })).toMatchObject({
      ...{ ok: false, kind: 'no_consumer', command: 'visionscale consume --partition 1' },
      finding: 'Partition 1 has 120 messages and no consumer',
      text: 'Partition 1 has 120 messages and no consumer: visionscale consume --partition 1',
    });
    expect(says({ partitions: alone, consumers: [consumer({ share: 'group' })] }).text).toMatch(
      /: visionscale consume --group$/,
    );
    expect(
      says({ partitions: [{ ...alone[1]!, state: 'expired', owner: 'a:1:b' }], consumers: [] }),
    ).toMatchObject({
      ok: false,
      text: expect.stringContaining('no consumer: visionscale consume --partition 1') as string,
    });
  });

  it('names the process to end where the owner hangs on this host, and nobody can take over', () => {
    const owner = 'belt-1.example.com:11546:43ad08';
    const partitions = [partition({ state: 'expired', lag: 120 })];
    const silent = [consumer({ live: false, heardAt: before(12) })];
    const told = found({ partitions, silent, consumers: [] });
    expect(statusVerdict(told, new Set([owner]))).toMatchObject({
      ...{ ok: false, kind: 'owner_hangs', command: 'kill -9 11546' },
      finding: 'Partition 0 has 120 messages, and belt-1:11546 hangs on belt-1.example.com',
    });
    expect(statusVerdict(told)).toMatchObject({ kind: 'no_consumer' });
    const standby = consumer({ owner: 'belt-2:7:x', share: 'any', partition: null, state: 'standing by' });
    expect(statusVerdict({ ...told, consumers: [standby] }, new Set([owner]))).toMatchObject({
      kind: 'taking_over',
    });
    const idle = found({ silent, consumers: [] });
    expect(statusVerdict(idle, new Set([owner]))).toMatchObject({
      ...{ ok: true, kind: 'silent', command: 'kill -9 11546' },
      text: 'All well, but belt-1:11546 has been silent for 12 s, and hangs on belt-1.example.com: kill -9 11546',
    });
  });

  it('names the consumer that would take it and waits, as for a store at its start', () => {
    const partitions = [partition({ ...free, partition: 1, lag: 120 })];
    const waits = consumer({ share: 'any', partition: null, state: 'waiting', detail: 's3://b is away' });
    expect(says({ partitions, consumers: [waits] })).toMatchObject({
      ...{ ok: false, kind: 'owner_waits', command: 'visionscale doctor' },
      text: 'Partition 1 has 120 messages, and belt-1:11546 waits: s3://b is away',
    });
    expect(says({ partitions, consumers: [{ ...waits, state: 'starting', detail: null }] }).text).toBe(
      'Partition 1 has 120 messages and no consumer yet: belt-1:11546 (starting) takes over in a few seconds.',
    );
    // It was told another one.
    expect(says({ partitions, consumers: [{ ...waits, share: 'partition', partition: 0 }] }).text).toMatch(
      /no consumer: visionscale consume --partition 1$/,
    );
  });

  it.each<[StatusVerdict['kind'], Partial<Status>, boolean, RegExp, string | null]>([
    [
      'topic_away',
      { servers: { ...found().servers, topic: away('no broker') } },
      false,
      /^The topic .*: no broker$/,
      'doctor',
    ],
    ['not_set_up', { partitions: [] }, false, /^Nothing is set up here yet: visionscale init$/, 'init'],
    [
      'store_away',
      { servers: { ...found().servers, store: away('refused') } },
      false,
      /^The object store is away.*: refused$/,
      'doctor',
    ],
    [
      'taking_over',
      {
        partitions: [partition({ ...free, lag: 1 })],
        consumers: [consumer({ share: 'any', partition: null, state: 'standing by' })],
      },
      false,
      /takes over in a few seconds\.$/,
      null,
    ],
    [
      'stalled',
      { partitions: [partition({ state: 'stalled', detail: null })] },
      false,
      /^Partition 0 has stalled: its consumer does not say why$/,
      'doctor',
    ],
    [
      'waiting',
      { partitions: [partition({ state: 'waiting', detail: 'denied' })] },
      false,
      /^Partition 0 waits: denied$/,
      'doctor',
    ],
    [
      'consumer_waits',
      { consumers: [consumer({ state: 'waiting', detail: 'denied' })] },
      false,
      /^belt-1:11546 waits: denied$/,
      'doctor',
    ],
    ['problem', { problems: ['topic t does not exist yet'] }, false, /^Topic t does not/, null],
    [
      'silent',
      { silent: [consumer({ live: false, heardAt: before(12) })], deadLetters: 1 },
      true,
      /^All well, but belt-1:11546 has been silent for 12 s: look at belt-1\.example\.com$/,
      null,
    ],
    [
      'models_disagree',
      { model: { active: null, digest: null, belts: [], disagreement: true } },
      true,
      /different models/,
      'model history',
    ],
    [
      'results_refused',
      { refused: { results: 1, deadLetters: 0, reason: 'too large' } },
      true,
      /are kept: too large$/,
      null,
    ],
    [
      'results_unpublished',
      { unpublished: { results: 1, deadLetters: 0, oldestSeconds: 61 } },
      true,
      /: visionscale doctor$/,
      'doctor',
    ],
    ['round_open', { round: { images: 5, left: 2 } }, true, /visionscale produce$/, 'produce'],
    ['not_sent', { images: 20 }, true, /^8 images have not been sent yet/, 'produce'],
    [
      'dead_letters',
      { deadLetters: 1 },
      true,
      /^1 dead letter to look at: visionscale dead-letters list$/,
      'dead-letters list',
    ],
    ['catching_up', { partitions: [partition({ lag: 2 })] }, true, /2 messages left/, null],
    [
      'idle',
      { consumers: [], partitions: [partition(free)] },
      true,
      /No consumer is running: visionscale consume$/,
      'consume',
    ],
  ])('names the first thing to do (%s)', (kind, given, ok, text, command) => {
    const verdict = says(given);
    expect(verdict).toMatchObject({ ok, kind, text: expect.stringMatching(text) as string });
    expect(verdict.command).toBe(command === null ? null : `visionscale ${command}`);
    expect(verdict.text.startsWith(verdict.finding)).toBe(true);
  });
});

describe('the page of status', () => {
  const bad = found({
    partitions: [
      partition({
        partition: 0,
        state: 'waiting',
        detail: 'the object store http://10.0.0.7:9000/images: refused',
      }),
      partition({
        partition: 1,
        state: 'waiting',
        detail: 'the object store http://10.0.0.7:9000/images: refused',
      }),
      partition({ ...free, partition: 2, lag: 1_234_567 }),
    ],
    consumers: [
      consumer({
        owner: 'ip-10-0-12-34.eu-central-1.compute.internal:123456:abcdef',
        engine: 'tfjs',
        state: 'standing by',
      }),
      consumer({ model: 'a-model-with-a-name-of-some-length-that-somebody-chose' }),
    ],
    deadLetters: 3,
    deadLettersByCode: { not_found: 2, unreadable_message: 1 },
    servers: { ...found().servers, store: away('http://10.0.0.7:9000: connect ECONNREFUSED 10.0.0.7:9000') },
    problems: ['no consumer can start: process 17 (psql of role me) has held the lock for 12 s; end it'],
  });

  it.each([80, 100, 200])('fits %i columns and breaks no word', (width) => {
    const page = unmarked(statusPage(bad, width));
    for (const line of page.split('\n')) expect(line.length, line).toBeLessThanOrEqual(width);
    for (const word of ['1234567', 'ECONNREFUSED', 'standing by', 'not_found 2'])
      expect(page).toContain(word);
    expect(page.trimEnd().split('\n').slice(-2).join(' ')).toContain('The object store is away');
  });

  it('says a reason once for all partitions that wait for it', () => {
    expect(statusPage(bad, 200).match(/partitions 0, 1: the object store/g)).toHaveLength(1);
  });

  it('says when the last prediction was, and since when', () => {
    const page = unmarked(statusPage(found(), 120));
    expect(page).toContain('the last prediction was 3 s ago');
    expect(page).toMatch(
      /belt-1:11546 +consuming +2 min +2 h 5 min +1 s +parts 45efc19a +onnx +1\.83 +351 MB +120/,
    );
    expect(page).toContain('database ok, topic ok, object store ok');
  });
});

describe('what a consumer costs', () => {
  it('has room in 80 columns, where what tells less gives way', () => {
    const page = unmarked(statusPage(found(), 80));
    expect(page).toMatch(/^consumer +state +since +model +cores +memory +images\/min$/m);
    expect(page).toMatch(/^belt-1:11546 +consuming +2 min +parts 45efc19a +1\.83 +351 MB +120$/m);
  });

  it('is left open where its version does not tell', () => {
    const page = unmarked(
      statusPage(found({ consumers: [consumer({ cpuCores: null, memoryBytes: null })] }), 80),
    );
    expect(page).toMatch(/parts 45efc19a +– +– +120$/m);
  });
});

describe('the state of a partition', () => {
  const row: OwnerRow = {
    ...{ partition: 0, owner: 'belt-1.example.com:11546:43ad08', hostname: 'belt-1.example.com', epoch: 1 },
    ...{ mode: 'partition', live: true, state: 'consuming', since: before(60), detail: null },
    ...{ model: 'parts', modelDigest: 'sha256:45efc19a00', engine: 'onnx' },
  };
  const of = (given: Partial<OwnerRow> | undefined, ...consumers: ConsumerRow[]) => {
    const { state, since, detail } = partitionStatus(0, {
      ...{ position: 1, log: { start: 0, end: 1 }, consumers },
      row: given === undefined ? undefined : { ...row, ...given },
    });
    return [state, since, detail];
  };

  it('is free since its last owner left, and says how', () => {
    expect(of(undefined)).toEqual(['free', null, null]);
    const left = { owner: null, live: false };
    expect(of({ ...left, state: 'released' })).toEqual([
      ...['free', before(60), 'released by the consumer on belt-1.example.com'],
    ]);
    expect(of({ ...left, state: 'stalled', detail: 'old' })).toEqual([
      ...['free', before(60), 'released by the consumer on belt-1.example.com, which had stalled'],
    ]);
  });

  it('is expired, whatever its owner last waited for', () => {
    expect(of({ live: false, state: 'waiting', detail: 'the store is away' })).toEqual([
      ...['expired', before(60)],
      'belt-1:11546 has not renewed the lease: it was killed, hangs, or cannot reach the database',
    ]);
  });

  it('is what its owner says', () => {
    expect(of({ state: 'stalled', detail: 'a message hangs' })).toEqual([
      ...['stalled', before(60), 'a message hangs'],
    ]);
    expect(of({}, consumer())).toEqual(['consuming', before(60), null]);
  });

  it('is waiting with an idle owner whose process waits, since both are so', () => {
    const waits = { state: 'waiting', detail: 'the store is away' };
    expect(of({}, consumer({ ...waits, since: before(20) }))).toEqual([
      ...['waiting', before(20), 'the store is away'],
    ]);
    expect(of({}, consumer({ ...waits, since: before(900) }))).toEqual([
      ...['waiting', before(60), 'the store is away'],
    ]);
    expect(of({}, consumer({ ...waits, owner: 'b:1:c' }))).toEqual(['consuming', before(60), null]);
  });
});

describe('a consumer that has fallen silent', () => {
  const silent = consumer({ owner: 'a:1:x', live: false, heardAt: before(300) });
  const names = (...others: ConsumerRow[]) =>
    fallenSilent([silent, ...others], now).map(({ owner }) => owner);

  it('is told while nobody was started in its place', () => {
    expect(names(consumer({ startedAt: before(900) }))).toEqual(['a:1:x']);
    expect(names(consumer({ startedAt: before(200) }))).toEqual([]);
    // One that fell silent too, and one for another partition.
    expect(names(consumer({ startedAt: before(200), live: false }))).toHaveLength(2);
    expect(names(consumer({ startedAt: before(200), partition: 1 }))).toEqual(['a:1:x']);
  });

  it('is forgotten after an hour', () => {
    expect(fallenSilent([{ ...silent, heardAt: before(3601) }], now)).toEqual([]);
  });

  it('stands in the table', () => {
    expect(unmarked(statusPage(found({ silent: [silent] }), 120))).toMatch(/a:1 +silent +5 min/);
  });
});

describe('fitting', () => {
  it('wraps at spaces only', () => {
    expect(wrapped('one two three', 7, '  ')).toBe('one two\n  three');
    expect(wrapped('averylongword b', 5)).toBe('averylongword\nb');
  });

  it.each([
    ['belt-1.example.com:11546:43ad08', 'belt-1:11546'],
    ['10.0.0.7:11546:43ad08', '10.0.0.7:11546'],
    ['odd', 'odd'],
  ])('shortens %s', (owner, short) => expect(shortOwner(owner)).toBe(short));
});
