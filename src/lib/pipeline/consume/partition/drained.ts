/** `--until-drained`: the ends as they were at the start, and whether everything before them is recorded, by whomever. */
import type { Pool } from 'pg';
import { readPosition } from '../../../systems/database/tables/owners.ts';
import type { Topic } from '../../../systems/topic/topic.ts';
import type { ConsumeOptions } from '../options.ts';

export class Ends {
  readonly #ends: Map<number, number>;
  readonly #pool: Pool;
  readonly #id: { pipeline: string; topic: string };

  private constructor(pool: Pool, id: { pipeline: string; topic: string }, ends: Map<number, number>) {
    this.#pool = pool;
    this.#id = id;
    this.#ends = ends;
  }

  static async at(
    pool: Pool,
    topic: Topic,
    options: ConsumeOptions,
    partitions: readonly number[],
  ): Promise<Ends> {
    const ends = new Map<number, number>();
    for (const partition of partitions) {
      const { first, end } = await topic.bounds(partition);
      // A partition that never had a record has no position either.
      if (end > first) ends.set(partition, end);
    }
    return new Ends(pool, { pipeline: options.pipeline, topic: topic.name }, ends);
  }

  /** The end to stop at; where there is nothing (more) to do, 0. */
  of(partition: number): number {
    return this.#ends.get(partition) ?? 0;
  }

  /** The partitions that are not known to be drained. */
  get left(): number[] {
    return [...this.#ends.keys()];
  }

  /** This process has recorded everything before the end. */
  reached(partition: number): void {
    this.#ends.delete(partition);
  }

  /**
   * Whether the partition's owner has come to the end. Only for what somebody else owns: the owner has made sure that
   * the position belongs to this topic, and not to one of the same name that was deleted.
   */
  async reachedByOwner(partition: number): Promise<boolean> {
    const position = await readPosition(this.#pool, { ...this.#id, partition });
    if (position !== null && position.nextOffset >= this.of(partition)) this.#ends.delete(partition);
    return !this.#ends.has(partition);
  }
}
