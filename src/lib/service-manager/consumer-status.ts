/** One line on how a consumer fares, as `status` would say it, from what it reports. */
import type { ConsumeEvent } from '../consume/deps.ts';

interface Owned {
  lag: number;
  /** Why it waits. */
  waiting: string | null;
}

export class ConsumerStatus {
  readonly #owned = new Map<number, Owned>();
  #without: string | null = null;
  #predicted = 0;
  #deadLettered = 0;

  /** True where the state is another now; false for what only counts on, or says nothing of it. */
  see(event: ConsumeEvent): boolean {
    const { partition } = event;
    if (event.kind === 'recorded') {
      this.#predicted += event.predicted;
      this.#deadLettered += event.deadLettered;
      const owned = this.#owned.get(event.partition);
      if (owned) owned.lag = event.lag;
      return false;
    }
    if (event.kind === 'standing by') {
      const what = partition === null ? 'any partition' : `partition ${partition}`;
      this.#without = `standing by for ${what}, owned by ${event.holder}`;
    } else if (event.kind === 'owning') {
      this.#without = null;
      this.#owned.set(event.partition, { lag: event.lag, waiting: null });
    } else if (event.kind === 'waiting' && event.partition === null) {
      this.#without = `waiting: ${event.reason}`;
    } else if (event.kind === 'waiting' || event.kind === 'going on' || event.kind === 'stalled') {
      const waiting = event.kind === 'going on' ? null : event.reason;
      if (event.partition === null) return false;
      const owned = this.#owned.get(event.partition);
      if (owned) owned.waiting = waiting;
      else this.#without = waiting === null ? null : `partition ${partition}: waiting: ${waiting}`;
    } else if (event.kind === 'lost' || event.kind === 'released') {
      return this.#owned.delete(event.partition);
    } else {
      return false;
    }
    return true;
  }

  line(): string {
    const partitions = [...this.#owned]
      .sort(([a], [b]) => a - b)
      .map(([partition, { lag, waiting }]) => {
        const state = waiting === null ? 'consuming' : `waiting: ${waiting}`;
        return `partition ${partition}: ${state}, lag ${lag}`;
      });
    const doing = partitions.length > 0 ? partitions.join('; ') : (this.#without ?? 'no partition');
    return `${doing}; ${this.#predicted} predictions, ${this.#deadLettered} dead letters`;
  }
}
