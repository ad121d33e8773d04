/** The verb `consume`: owns one partition, or shares all with a group, and classifies what they bring. */
import { isRetryable, ObjectError, TopicError } from '../../base/errors.ts';
import { ByteBudget } from '../../base/flow/byte-budget.ts';
import { noLoad } from '../../base/flow/load.ts';
import { ActiveBins } from '../../systems/database/tables/active-bins.ts';
import { CrashGuard } from './answer/crash-guard.ts';
import { atStart } from './at-start.ts';
import type { ConsumeDeps, ConsumeEvent, ConsumeOptions } from './deps.ts';
import { consumeAsGroup } from './group.ts';
import { Candidates, consumeOne } from './one.ts';

export type { ConsumeDeps, ConsumeEvent, ConsumeOptions } from './deps.ts';

/** Which partitions: a fixed one, the first that nobody owns, or a share of all. */
export type Share = { kind: 'partition'; partition: number } | { kind: 'any' } | { kind: 'group' };

export interface ConsumeResult {
  predicted: number;
  deadLettered: number;
  /** What asked for nothing: test and delete events of an object store. */
  ignored: number;
  seconds: number;
  imagesPerSecond: number;
}

/** Runs until the signal aborts or, with `untilDrained`, until caught up. Throws where the topic does not exist. */
export async function consume(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  share: Share,
): Promise<ConsumeResult> {
  const patiently = atStart(options.signal, deps.report);
  const partitions = await patiently(() => deps.topic.partitions());
  if (partitions === 0) {
    throw new TopicError(`topic ${deps.topic.name} does not exist`, {
      code: 'topic_missing',
      hint: 'Create it with `visionscale init`, or let `visionscale produce` do it.',
    });
  }
  if (share.kind === 'partition' && share.partition >= partitions) {
    throw new TopicError(
      `topic ${deps.topic.name} has ${partitions} partitions, 0 to ${partitions - 1}; there is no partition ${share.partition}`,
      { code: 'no_such_partition', hint: 'Choose one of them with --partition.' },
    );
  }
  if (!(await patiently(() => deps.store.exists()))) {
    throw new ObjectError(`the object store ${deps.store.url} does not exist`, {
      code: 'bucket_missing',
      hint: 'Create it with `visionscale init`.',
    });
  }
  const count = new Count();
  const report = (event: ConsumeEvent) => deps.report(count.see(event));
  const tellBins = (version: number | null) => report({ kind: 'bins', partition: null, version });
  const counted = {
    ...deps,
    report,
    sorting: {
      bins: new ActiveBins(options.pipeline, tellBins),
      deadlineMs: options.deadlineMs ?? null,
      publish: deps.results !== undefined,
    },
    budget: new ByteBudget(options.imageMemoryBytes),
    load: deps.load ?? noLoad(),
    crashGuard: new CrashGuard(deps.pool, options),
  };
  const known = share.kind === 'partition' ? [share.partition] : [...Array(partitions).keys()];
  const candidates = new Candidates(deps.topic, known, share.kind === 'any');
  try {
    if (share.kind === 'group') await consumeAsGroup(counted, options, partitions);
    else await consumeOne(counted, options, candidates);
  } catch (error) {
    // Asked to stop while something was away: what was not recorded comes again.
    if (!(options.signal.aborted && isRetryable(error))) throw error;
  }
  return count.result();
}

class Count {
  #predicted = 0;
  #deadLettered = 0;
  #ignored = 0;
  #began: number | undefined;
  #ended = 0;

  see(event: ConsumeEvent): ConsumeEvent {
    if (event.kind === 'owning') this.#began ??= performance.now();
    if (event.kind === 'recorded') {
      this.#predicted += event.predicted;
      this.#deadLettered += event.deadLettered;
      this.#ignored += event.ignored;
      this.#ended = performance.now();
    }
    return event;
  }

  /** Seconds run from the first partition owned to the last row written: idle time before and after does not count. */
  result(): ConsumeResult {
    const seconds = this.#began === undefined ? 0 : Math.max(0, this.#ended - this.#began) / 1000;
    return {
      predicted: this.#predicted,
      deadLettered: this.#deadLettered,
      ignored: this.#ignored,
      seconds: rounded(seconds),
      imagesPerSecond: seconds > 0 ? rounded(this.#predicted / seconds) : 0,
    };
  }
}

/** To three places: more than any clock here is worth. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
