/** One line on how a consumer fares, as `status` would say it, from what it reports. */
import { counted } from '../../base/report/table.ts';
import type { ConsumeEvent } from '../../pipeline/consume/options.ts';
import { awayLine, noServers, type Servers } from '../../pipeline/server-watch.ts';

interface Owned {
  lag: number;
  /** Why it waits. */
  waiting: string | null;
}

export class ConsumerStatus {
  readonly #owned = new Map<number, Owned>();
  /** What it does while it owns nothing. */
  #without: string | null = null;
  #standby: string | null = null;
  #waiting = false;
  #predicted = 0;
  #deadLettered = 0;
  readonly #servers: Servers;

  constructor(servers = noServers) {
    this.#servers = servers;
    servers.listen(() => {
      // What waited while it owned nothing waited for a server.
      if (this.#waiting && servers.away.length === 0) this.#resume();
    });
  }

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
    if (event.kind === 'lag') {
      const owned = this.#owned.get(event.partition);
      if (owned) owned.lag = event.lag;
      return false;
    }
    if (event.kind === 'standing by') {
      const what = partition === null ? 'any partition' : `partition ${partition}`;
      this.#standby = `standing by for ${what}, owned by ${event.holder}`;
      this.#resume();
    } else if (event.kind === 'owning') {
      this.#standby = null;
      this.#resume();
      this.#owned.set(event.partition, { lag: event.lag, waiting: null });
    } else if (event.kind === 'waiting' && event.partition === null) {
      this.#without = `waiting: ${event.reason}`;
      this.#waiting = true;
    } else if (event.kind === 'going on' && event.partition === null) {
      this.#without = null;
      this.#waiting = false;
    } else if (event.kind === 'waiting' || event.kind === 'going on' || event.kind === 'stalled') {
      const waiting = event.kind === 'going on' ? null : event.reason;
      if (event.partition === null) return false;
      const owned = this.#owned.get(event.partition);
      if (owned) owned.waiting = waiting;
      else if (waiting === null) this.#resume();
      else {
        this.#without = `partition ${partition}: waiting: ${waiting}`;
        this.#waiting = true;
      }
    } else if (event.kind === 'lost' || event.kind === 'released') {
      return this.#owned.delete(event.partition);
    } else {
      return false;
    }
    return true;
  }

  #resume(): void {
    this.#without = this.#standby;
    this.#waiting = false;
  }

  /** Whether it does its work or stands by for it, and waits for nothing; `idle` is what a consumer without a partition is. */
  isReady(idle: boolean): boolean {
    if (this.#servers.away.length > 0) return false;
    if (this.#owned.size > 0) return [...this.#owned.values()].every(({ waiting }) => waiting === null);
    return this.#waiting ? false : this.#standby !== null || idle;
  }

  line(): string {
    const partitions = [...this.#owned]
      .sort(([a], [b]) => a - b)
      .map(([partition, { lag, waiting }]) => {
        const state = waiting === null ? 'consuming' : `waiting: ${waiting}`;
        return `partition ${partition}: ${state}, lag ${lag}`;
      });
    const doing = partitions.length > 0 ? partitions.join('; ') : (this.#without ?? 'no partition');
    const away = awayLine(this.#servers.away);
    const isTold = away !== null && this.#waiting && partitions.length === 0;
    const states = [...(away === null ? [] : [away]), ...(isTold ? [] : [doing])];
    return `${states.join('; ')}; ${counted(this.#predicted, 'prediction')}, ${counted(this.#deadLettered, 'dead letter')}`;
  }
}
