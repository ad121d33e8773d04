/** The page that `status` shows: servers, consumers, partitions, counts, and in its last line what to do first. */
import { ageText } from '../base/report/age.ts';
import { type Style, styled } from '../base/report/style.ts';
import { formatBytes, table, wrapped } from '../base/report/table.ts';
import { driftSentence } from './drift/sentence.ts';
import type { PartitionStatus } from './partition-status.ts';
import { shortOwner } from './status-verdict.ts';
import type { ServerState, Status } from './status.ts';

/** Of states of consumers and partitions; what is not here is as it should be, or nobody's fault. */
const styles: Partial<Record<string, Style>> = {
  consuming: 'ok',
  waiting: 'warning',
  draining: 'warning',
  stalled: 'error',
  expired: 'error',
  silent: 'error',
};

/** In lines of at most `width` where words allow it. */
export function statusPage(status: Status, width: number): string {
  const wrap = (line: string) => wrapped(line, width, '  ');
  return [
    ...[...counts(status), ...servers(status)].map(wrap),
    '',
    consumers(status, width),
    '',
    ...partitions(status, width),
    ...[...notes(status)].map((line) => `\n${wrap(line)}`),
    '',
    styled(status.verdict.ok ? 'ok' : 'error', wrap(status.verdict.text)),
  ].join('\n');
}

function counts(status: Status): string[] {
  const { pipeline, topic, images, produced, predictions, deadLetters, ignored, model, bins } = status;
  const age = status.lastPredictionAgeSeconds;
  const codes = Object.entries(status.deadLettersByCode).map(([code, letters]) => `${code} ${letters}`);
  return [
    `images ${images}, produced ${produced}, predictions ${predictions}, dead letters ${deadLetters}${ignored > 0 ? `, ignored ${ignored}` : ''}`,
    ...(age === null ? [] : [`the last prediction was ${ageText(age * 1000)} ago`]),
    ...(codes.length === 0 ? [] : [`dead letters: ${codes.join(', ')} (visionscale dead-letters list)`]),
    `topic ${topic}, pipeline ${pipeline}${model.active === null ? '' : `, model ${model.active}`}${bins === null ? '' : `, bins version ${bins.version}`}`,
    ...(model.belts.length === 0
      ? []
      : [model.belts.map(({ belt, name, version }) => `belt ${belt}: ${name} ${version}`).join(', ')]),
    ...outbox(status),
    ...(status.round === null
      ? []
      : [
          `a round of ${status.round.images} images is open, ${status.round.left} keys are left: visionscale produce`,
        ]),
  ];
}

function outbox({ unpublished, refused }: Status): string[] {
  const lines: string[] = [];
  if (unpublished.oldestSeconds !== null) {
    lines.push(
      `${unpublished.results} results and ${unpublished.deadLetters} dead letters are not published yet, the oldest for ${ageText(unpublished.oldestSeconds * 1000)}`,
    );
  }
  if (refused.results + refused.deadLetters > 0) {
    lines.push(
      `${refused.results} results and ${refused.deadLetters} dead letters were refused by their topics: ${refused.reason}`,
    );
  }
  return lines;
}

function servers({ servers: { database, topic, store } }: Status): string[] {
  const word = (name: string, { reachable, reason }: ServerState) =>
    reachable ? `${name} ok` : `${name} AWAY: ${reason}`;
  const all: [string, ServerState | null][] = [
    ['database', database],
    ['topic', topic],
    ['object store', store],
  ];
  const asked = all.flatMap(([name, state]) => (state === null ? [] : [{ name, state }]));
  const well = asked.filter(({ state }) => state.reachable).map(({ name, state }) => word(name, state));
  return [
    well.join(', '),
    ...asked.filter(({ state }) => !state.reachable).map(({ name, state }) => word(name, state)),
  ];
}

function consumers(status: Status, width: number): string {
  const now = status.time.getTime();
  const age = (time: Date) => ageText(now - time.getTime());
  const found = [
    ...status.consumers,
    ...status.silent.map((one) => ({ ...one, state: 'silent', since: one.heardAt })),
  ];
  if (found.length === 0) return 'no consumer runs';
  return table(
    found,
    [
      { title: 'consumer', value: ({ owner }) => shortOwner(owner), cut: 'end' },
      { title: 'state', value: ({ state }) => state, style: ({ state }) => styles[state] },
      { title: 'since', value: ({ since }) => age(since), drop: 1 },
      { title: 'up', value: ({ startedAt }) => age(startedAt), drop: 4 },
      { title: 'heard', value: ({ heardAt }) => age(heardAt), drop: 5 },
      {
        title: 'model',
        value: ({ model, modelDigest }) =>
          model === null ? null : `${model} ${modelDigest?.slice(7, 15) ?? ''}`,
        cut: 'end',
      },
      { title: 'engine', value: ({ engine }) => engine, drop: 6 },
      {
        title: 'cores',
        value: ({ cpuCores }) => cpuCores?.toFixed(2) ?? null,
        align: 'right',
        drop: 2,
      },
      {
        title: 'memory',
        value: ({ memoryBytes }) => (memoryBytes === null ? null : formatBytes(memoryBytes)),
        align: 'right',
        drop: 3,
      },
      { title: 'images/min', value: ({ imagesLastMinute }) => imagesLastMinute, align: 'right' },
    ],
    width,
  );
}

function partitions(status: Status, width: number): string[] {
  if (status.partitions.length === 0) return ['no partitions'];
  const now = status.time.getTime();
  const head = table(
    status.partitions,
    [
      { title: 'partition', value: (p) => p.partition, align: 'right' },
      { title: 'lag', value: (p) => p.lag, align: 'right' },
      { title: 'state', value: (p) => p.state, style: (p) => styles[p.state] },
      { title: 'since', value: (p) => (p.since === null ? null : ageText(now - p.since.getTime())), drop: 1 },
      { title: 'owner', value: (p) => (p.owner === null ? null : shortOwner(p.owner)), cut: 'end' },
    ],
    width,
  );
  return [head, ...why(status.partitions, width)];
}

/** Below the table, for reasons are sentences; several partitions that wait for the same have it once. */
function why(all: readonly PartitionStatus[], width: number): string[] {
  const byReason = new Map<string, number[]>();
  for (const { partition, detail } of all) {
    if (detail !== null) byReason.set(detail, [...(byReason.get(detail) ?? []), partition]);
  }
  return [...byReason].map(([reason, numbers]) =>
    wrapped(
      `${numbers.length === 1 ? 'partition' : 'partitions'} ${numbers.join(', ')}: ${reason}`,
      width,
      '  ',
    ),
  );
}

function* notes({
  model,
  problems,
  servers: { topic },
  consumers: found,
  drift,
  time,
}: Status): Generator<string> {
  for (const { owner, state, detail } of found) {
    if (state === 'waiting' && detail !== null) yield `${shortOwner(owner)} waits: ${detail}`;
  }
  if (model.disagreement) yield 'the consumers do not all run the same model, or not the active one';
  for (const one of drift) yield styled('warning', driftSentence(one, time));
  if (drift.length > 0) {
    yield 'repair the camera or its light, train with images of now, or, if it is meant to be so: visionscale model accept';
  }
  for (const problem of problems) if (problem !== topic.reason) yield `problem: ${problem}`;
}
