/** What `status` says in its last line: that all is well, or the first thing to do. */
import { ageText } from '../base/report/age.ts';
import { counted } from '../base/report/table.ts';
import type { ConsumerRow } from '../systems/database/tables/consumers.ts';
import { driftCommand, driftSentence } from './drift/sentence.ts';
import type { PartitionStatus } from './partition-status.ts';
import type { Status } from './status.ts';

export interface StatusVerdict {
  /** False where something is away, or a partition with messages has no live owner: exit code 1. */
  ok: boolean;
  /** One sentence. */
  text: string;
}

/** How long results may wait for their topic before it is worth a word, in seconds. */
const longUnpublished = 60;

export function statusVerdict(status: Omit<Status, 'verdict'>): StatusVerdict {
  const { servers, problems, partitions, consumers, model, unpublished, refused } = status;
  const bad = (text: string): StatusVerdict => ({ ok: false, text });
  const well = (text: string): StatusVerdict => ({ ok: true, text });
  if (servers.topic.reason !== null) {
    return bad(`The topic cannot be read, so the lag is unknown: ${servers.topic.reason}`);
  }
  if (partitions.length === 0) return bad('Nothing is set up here yet: visionscale init');
  if (servers.store?.reason) {
    return bad(`The object store is away, and consumers wait for it: ${servers.store.reason}`);
  }
  const alone = partitions.filter((one) => one.lag !== 0 && !isOwned(one));
  if (alone.length > 0) return bad(withoutOwner(alone, consumers));
  const stopped =
    partitions.find(({ state }) => state === 'stalled') ??
    partitions.find(({ state }) => state === 'waiting');
  if (stopped) {
    const word = stopped.state === 'stalled' ? 'has stalled' : 'waits';
    return bad(
      `Partition ${stopped.partition} ${word}: ${stopped.detail ?? 'its consumer does not say why'}`,
    );
  }
  const waiting = consumers.find(({ state }) => state === 'waiting');
  if (waiting) return bad(`${nameOf(waiting)} waits: ${waiting.detail ?? 'it does not say why'}`);
  const [problem] = problems;
  if (problem !== undefined) return bad(sentence(problem));
  const [silent] = status.silent;
  if (silent) {
    const age = ageText(status.time.getTime() - silent.heardAt.getTime());
    return well(`All well, but ${nameOf(silent)} has been silent for ${age}: look at ${silent.hostname}`);
  }
  if (model.disagreement) {
    return well('Consumers run different models, or not the active one: visionscale model history');
  }
  if (refused.results + refused.deadLetters > 0) {
    return well(`Results were refused by their topic, and are kept: ${refused.reason}`);
  }
  if ((unpublished.oldestSeconds ?? 0) > longUnpublished) {
    return well("Results wait for their topic: see the consumers' logs and visionscale doctor");
  }
  if (status.round !== null) return well('A round is not finished: visionscale produce');
  if (status.images > status.produced) {
    return well(`${status.images - status.produced} images have not been sent yet: visionscale produce`);
  }
  if (status.deadLetters > 0) {
    return well(`${counted(status.deadLetters, 'dead letter')} to look at: visionscale dead-letters list`);
  }
  const [drift, ...more] = status.drift;
  if (drift) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
    return well(`All well, but ${driftSentence(drift, status.time)}${others}: ${driftCommand(drift)}`);
  }
  const lag = partitions.reduce((sum, one) => sum + (one.lag ?? 0), 0);
  if (lag > 0) return well(`All well: ${counted(lag, 'message')} left, and every partition has a consumer.`);
  if (consumers.length === 0) {
    return well('All well: every message is answered. No consumer runs: visionscale consume');
  }
  return well('All well: every message is answered.');
}

export function isOwned({ owner, state }: PartitionStatus): boolean {
  return owner !== null && state !== 'expired';
}

/** Who could take it and does not yet, or the command that would. */
function withoutOwner(alone: readonly PartitionStatus[], consumers: readonly ConsumerRow[]): string {
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
  if (able?.state === 'waiting')
    return `${which} ${what}, and ${nameOf(able)} waits: ${able.detail ?? 'it does not say why'}`;
  if (able)
    return `${which} ${what} and no consumer yet: ${nameOf(able)} (${able.state}) takes over in a few seconds.`;
  const command = consumers.some(({ share }) => share === 'group')
    ? 'visionscale consume --group'
    : alone.length === 1
      ? `visionscale consume --partition ${numbers}`
      : 'visionscale consume';
  return `${which} ${what} and no consumer: ${command}`;
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
