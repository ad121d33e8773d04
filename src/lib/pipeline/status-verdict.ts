/** What `status` says in its last line, and the live page in its first: that all is well, or the first thing to do. */
import { ageText } from '../base/report/age.ts';
import { counted } from '../base/report/table.ts';
import type { ConsumerRow } from '../systems/database/tables/consumers.ts';
import { driftCommand, driftSentence } from './drift/sentence.ts';
import type { PartitionStatus } from './partition-status.ts';
import type { Status } from './status.ts';

/** What the verdict is about. */
export const verdictKinds = [
  'topic_away',
  'not_set_up',
  'store_away',
  'no_consumer',
  'owner_waits',
  'taking_over',
  'owner_hangs',
  'stalled',
  'waiting',
  'consumer_waits',
  'problem',
  'silent',
  'models_disagree',
  'results_refused',
  'results_unpublished',
  'round_open',
  'not_sent',
  'dead_letters',
  'drift',
  'catching_up',
  'idle',
  'well',
] as const;

export interface StatusVerdict {
  /** False where something is away, or a partition with messages has no live owner: exit code 1. */
  ok: boolean;
  kind: (typeof verdictKinds)[number];
  /** One sentence, with the command where one helps. */
  text: string;
  /** The sentence alone. */
  finding: string;
  /** What to run first; null where nothing is to be done, or no command does it. */
  command: string | null;
}

/** How long results may wait for their topic before it is worth a word, in seconds. */
const longUnpublished = 60;

const doctor = 'visionscale doctor';

/** `hanging`: owners whose processes are on this host, and silent. */
export function statusVerdict(
  status: Omit<Status, 'verdict'>,
  hanging: ReadonlySet<string> = new Set(),
): StatusVerdict {
  const { servers, problems, partitions, consumers, model, unpublished, refused } = status;
  if (servers.topic.reason !== null) {
    return bad('topic_away', `The topic cannot be read, so the lag is unknown: ${servers.topic.reason}`, {
      beside: doctor,
    });
  }
  if (partitions.length === 0)
    return bad('not_set_up', 'Nothing is set up here yet', { then: 'visionscale init' });
  if (servers.store?.reason) {
    const finding = `The object store is away, and consumers wait for it: ${servers.store.reason}`;
    return bad('store_away', finding, { beside: doctor });
  }
  const alone = partitions.filter((one) => one.lag !== 0 && !isOwned(one));
  if (alone.length > 0) return withoutOwner(alone, consumers, hanging);
  const stopped =
    partitions.find(({ state }) => state === 'stalled') ??
    partitions.find(({ state }) => state === 'waiting');
  if (stopped) {
    const [kind, word] = stopped.state === 'stalled' ? (['stalled', 'has stalled'] as const) : waits;
    const why = stopped.detail ?? 'its consumer does not say why';
    return bad(kind, `Partition ${stopped.partition} ${word}: ${why}`, { beside: doctor });
  }
  const waiting = consumers.find(({ state }) => state === 'waiting');
  if (waiting) {
    const why = waiting.detail ?? 'it does not say why';
    return bad('consumer_waits', `${nameOf(waiting)} waits: ${why}`, { beside: doctor });
  }
  const [problem] = problems;
  if (problem !== undefined) return bad('problem', sentence(problem));
  const [silent] = status.silent;
  if (silent) {
    const age = ageText(status.time.getTime() - silent.heardAt.getTime());
    const finding = `All well, but ${nameOf(silent)} has been silent for ${age}`;
    return hanging.has(silent.owner)
      ? well('silent', `${finding}, and hangs on ${silent.hostname}`, { then: endOf(silent.owner) })
      : well('silent', `${finding}: look at ${silent.hostname}`);
  }
  if (model.disagreement) {
    const finding = 'Consumers run different models, or not the active one';
    return well('models_disagree', finding, { then: 'visionscale model history' });
  }
  if (refused.results + refused.deadLetters > 0) {
    return well('results_refused', `Results were refused by their topic, and are kept: ${refused.reason}`);
  }
  if ((unpublished.oldestSeconds ?? 0) > longUnpublished) {
    const finding = "Results wait for their topic (see the consumers' logs)";
    return well('results_unpublished', finding, { then: doctor });
  }
  const produce = { then: 'visionscale produce' };
  if (status.round !== null) return well('round_open', 'A round is not finished', produce);
  if (status.images > status.produced) {
    return well('not_sent', `${status.images - status.produced} images have not been sent yet`, produce);
  }
  if (status.deadLetters > 0) {
    const finding = `${counted(status.deadLetters, 'dead letter')} to look at`;
    return well('dead_letters', finding, { then: 'visionscale dead-letters list' });
  }
  const [drift, ...more] = status.drift;
  if (drift) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
    const finding = `All well, but ${driftSentence(drift, status.time)}${others}`;
    return well('drift', finding, { then: driftCommand(drift) });
  }
  const lag = partitions.reduce((sum, one) => sum + (one.lag ?? 0), 0);
  if (lag > 0) {
    return well(
      'catching_up',
      `All well: ${counted(lag, 'message')} left, and every partition has a consumer.`,
    );
  }
  if (consumers.length === 0) {
    const finding = 'All well: every message is answered. No consumer is running';
    return well('idle', finding, { then: 'visionscale consume' });
  }
  return well('well', 'All well: every message is answered.');
}

const waits = ['waiting', 'waits'] as const;

/** A command that ends the sentence, or one that helps beside it. */
interface Remedy {
  then?: string;
  beside?: string;
}

function verdict(ok: boolean, kind: StatusVerdict['kind'], finding: string, { then, beside }: Remedy) {
  const text = then === undefined ? finding : `${finding}: ${then}`;
  return { ok, kind, text, finding, command: then ?? beside ?? null };
}

function bad(kind: StatusVerdict['kind'], finding: string, remedy: Remedy = {}): StatusVerdict {
  return verdict(false, kind, finding, remedy);
}

function well(kind: StatusVerdict['kind'], finding: string, remedy: Remedy = {}): StatusVerdict {
  return verdict(true, kind, finding, remedy);
}

export function isOwned({ owner, state }: PartitionStatus): boolean {
  return owner !== null && state !== 'expired';
}

/** Who could take it and does not yet, or the command that would. */
function withoutOwner(
  alone: readonly PartitionStatus[],
  consumers: readonly ConsumerRow[],
  hanging: ReadonlySet<string>,
): StatusVerdict {
  const [first] = alone;
  const known = alone.every(({ lag }) => lag !== null);
  const lag = alone.reduce((sum, one) => sum + (one.lag ?? 0), 0);
  const numbers = alone.map(({ partition }) => partition).join(', ');
  const which = alone.length === 1 ? `Partition ${numbers} has` : `Partitions ${numbers} have`;
  const what = known ? counted(lag, 'message') : 'an unknown number of messages';
  const able = consumers.find(
    ({ share, partition, state }) =>
      state !== 'consuming' &&
      state !== 'draining' &&
      (share !== 'partition' || partition === first!.partition),
  );
  if (able?.state === 'waiting') {
    const why = able.detail ?? 'it does not say why';
    return bad('owner_waits', `${which} ${what}, and ${nameOf(able)} waits: ${why}`, { beside: doctor });
  }
  if (able) {
    return bad(
      'taking_over',
      `${which} ${what} and no consumer yet: ${nameOf(able)} (${able.state}) takes over in a few seconds.`,
    );
  }
  const hung = alone.find(({ owner }) => owner !== null && hanging.has(owner));
  if (hung?.owner) {
    const finding = `${which} ${what}, and ${shortOwner(hung.owner)} hangs on ${hung.hostname}`;
    return bad('owner_hangs', finding, { then: endOf(hung.owner) });
  }
  const command = consumers.some(({ share }) => share === 'group')
    ? 'visionscale consume --group'
    : alone.length === 1
      ? `visionscale consume --partition ${numbers}`
      : 'visionscale consume';
  return bad('no_consumer', `${which} ${what} and no consumer`, { then: command });
}

/** Its supervisor starts it again. SIGKILL ends also what is stopped. */
function endOf(owner: string): string {
  return `kill -9 ${pidOf(owner)}`;
}

/** NaN where the owner is of another form. */
export function pidOf(owner: string): number {
  return Number(/:(\d+):[^:]*$/.exec(owner)?.[1]);
}

/** As in tables: the first label of its host, and its process. */
export function nameOf({ owner }: Pick<ConsumerRow, 'owner'>): string {
  return shortOwner(owner);
}

/** `host:pid`, without the host's domain and the part that makes it unique. */
export function shortOwner(owner: string): string {
  const parts = /^(.*):(\d+):[^:]*$/.exec(owner);
  if (!parts) return owner;
  const [, host, pid] = parts;
  return `${/^[\d.]+$/.test(host!) ? host! : host!.split('.', 1)[0]!}:${pid}`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
