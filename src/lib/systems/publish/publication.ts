/** What an owner of a partition publishes: results and dead letters, each at its own pace. */
import type { PartitionId } from '../database/tables/owners.ts';
import { Publisher, type PublisherDeps } from './publisher.ts';

export class Publication {
  readonly #results: Publisher;
  readonly #dead: Publisher;

  /** Begins with what a former owner has left. */
  constructor(deps: PublisherDeps, partition: PartitionId) {
    this.#results = new Publisher(deps, partition, 'result');
    this.#dead = new Publisher(deps, partition, 'dead');
  }

  /** Outcomes have been recorded. */
  recorded({ predicted, deadLettered }: { predicted: number; deadLettered: number }): void {
    if (predicted > 0) this.#results.wake();
    if (deadLettered > 0) this.#dead.wake();
  }

  /** Settles when nothing is left, or when `signal` aborts: then the next owner goes on with it. */
  async finish(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#results.finish(signal), this.#dead.finish(signal)]);
  }

  /** At once: the partition is somebody else's, or what is needed is away. */
  abandon(): void {
    this.#results.abandon();
    this.#dead.abandon();
  }
}
