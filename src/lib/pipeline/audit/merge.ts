/** Joins two streams that are sorted by their keys, holding one item of each. */
import { VisionscaleError } from '../../base/errors.ts';
import { compareKeys } from '../../systems/objects/key.ts';

export type Joined<Left, Right> =
  { left: Left; right: Right } | { left: Left; right?: never } | { left?: never; right: Right };

interface Keyed {
  key: string;
}

/**
 * A full outer join by `key`; both come in byte order, each key once. Throws `unordered` where one does not: the join
 * would name what is there. Both are closed in any case.
 */
export async function* mergeJoin<Left extends Keyed, Right extends Keyed>(
  lefts: AsyncIterable<Left>,
  rights: AsyncIterable<Right>,
): AsyncGenerator<Joined<Left, Right>, void, void> {
  const [leftSide, rightSide] = [new Side(lefts), new Side(rights)];
  try {
    let left = await leftSide.next();
    let right = await rightSide.next();
    while (left !== undefined || right !== undefined) {
      const order = left === undefined ? 1 : right === undefined ? -1 : compareKeys(left.key, right.key);
      if (order < 0) {
        yield { left: left! };
        left = await leftSide.next();
      } else if (order > 0) {
        yield { right: right! };
        right = await rightSide.next();
      } else {
        yield { left: left!, right: right! };
        left = await leftSide.next();
        right = await rightSide.next();
      }
    }
  } finally {
    await leftSide.close();
    await rightSide.close();
  }
}

class Side<Item extends Keyed> {
  readonly #items: AsyncIterator<Item>;
  #last: string | undefined;

  constructor(items: AsyncIterable<Item>) {
    this.#items = items[Symbol.asyncIterator]();
  }

  async next(): Promise<Item | undefined> {
    const next = await this.#items.next();
    if (next.done === true) return undefined;
    const { value } = next;
    if (this.#last !== undefined && compareKeys(this.#last, value.key) >= 0) {
      throw new VisionscaleError(
        `a listing is not in the order of its keys: ${JSON.stringify(value.key)} comes after ${JSON.stringify(this.#last)}`,
        {
          code: 'unordered',
          hint: 'Objects and rows can be compared only where the store lists in byte order: audit --no-objects',
        },
      );
    }
    this.#last = value.key;
    return value;
  }

  async close(): Promise<void> {
    await this.#items.return?.();
  }
}
