/** Rows of image_info against the objects in the store: both sorted, joined as they stream by. */
import { VisionscaleError } from '../../base/errors.ts';
import { forEachConcurrently } from '../../base/flow/for-each.ts';
import { objectKeyFault, compareKeys, type ObjectStore } from '../../systems/objects/store.ts';
import type { AuditSession } from './session.ts';

export interface CompareObjectsOptions {
  pipeline: string;
  /** Objects that nothing names are orphaned; otherwise they are only counted. */
  nameUnlisted: boolean;
  /** Of the missing, as many as will be named are asked for once more. */
  limit: number;
  /** Rows compared since the last call. */
  onCompared: (rows: number) => void;
}

export interface ObjectCounts {
  objects: number;
  /** Objects that no row, message, prediction or dead letter names. */
  unlisted: number;
}

/** Rows a fetch, keys a statement. */
const pageSize = 2000;
/** Requests to the store at a time. */
const headsAtATime = 16;
/** What the tool itself keeps in the store: published models. */
const ownFolder = '.visionscale/';

/** The topic has been copied before. Throws the store's errors, and `unordered`. */
export async function compareObjects(
  session: AuditSession,
  store: ObjectStore,
  options: CompareObjectsOptions,
): Promise<ObjectCounts> {
  const gone = new Keys(session, 'insert into audit_gone select * from unnest($1::text[], $2::boolean[])');
  const unlisted = new Keys(session, 'insert into audit_unlisted select * from unnest($1::text[])');
  let objects = 0;
  for await (const { left, right } of mergeJoin(imageRows(session, options.onCompared), store.list())) {
    if (right) objects++;
    if (!right) await gone.add(left.key, left.young);
    else if (!left && !right.key.startsWith(ownFolder)) await unlisted.add(right.key);
  }
  await gone.flush();
  await unlisted.flush();
  await saveGone(session, options.pipeline);
  await lookAgain(session, store, options.limit);
  return { objects, unlisted: await saveUnlisted(session, options) };
}

/**
 * In byte order, whatever the database's own is. The cursor's rows are the server's temporary file: no transaction
 * stays open that would hold up its vacuum.
 */
async function* imageRows(session: AuditSession, onPage: (rows: number) => void) {
  await session.query(
    `declare audit_images no scroll cursor with hold for
     select image_key as key, uploaded_at >= (select at from audit_began) as young
     from image_info order by image_key collate "C"`,
  );
  for (;;) {
    const { rows } = await session.query<{ key: string; young: boolean }>(
      `fetch ${pageSize} from audit_images`,
    );
    if (rows.length === 0) return;
    yield* rows;
    onPage(rows.length);
  }
}

/** A key whose request has ended as a dead letter because of that is named there already. */
async function saveGone(session: AuditSession, pipeline: string): Promise<void> {
  await session.query(
    `insert into audit_found (class, kind, image_key)
     select 'missing', 'object', image_key from audit_gone join image_info i using (image_key)
     where not exists (select from dead_letters d where d.pipeline = $1 and d.code = 'not_found'
       and d.state <> 'resolved' and d.request_id = 'p:' || i.round || ':' || i.image_key)
     order by image_key collate "C"`,
    [pipeline],
  );
}

/**
 * An object is put before its row, so only a row that is younger than the audit can be later than the listing; of the
 * others those that will be named are asked for too, for a row by hand may be older than its object.
 */
async function lookAgain(session: AuditSession, store: ObjectStore, limit: number): Promise<void> {
  let after = 0;
  let ranked = 0;
  for (;;) {
    const { rows } = await session.query<{ n: number; image_key: string; young: boolean }>(
      `select f.n, image_key, young from audit_found f join audit_gone using (image_key)
       where class = 'missing' and kind = 'object' and f.n > $1 and (young or $2)
       order by f.n limit ${pageSize}`,
      [after, ranked < limit],
    );
    if (rows.length === 0) return;
    const there: number[] = [];
    const suspects = rows.filter(({ young }, at) => young || ranked + at < limit);
    await forEachConcurrently(suspects, headsAtATime, async ({ n, image_key }) => {
      if (await exists(store, image_key)) there.push(n);
    });
    await session.query('delete from audit_found where n = any($1)', [there]);
    ranked += rows.length;
    after = rows.at(-1)!.n;
  }
}

/** What cannot be a key of the store, which a row by hand may hold, is not there. */
async function exists(store: ObjectStore, key: string): Promise<boolean> {
  if (objectKeyFault(key) !== undefined) return false;
  return (await store.head(key)) !== null;
}

async function saveUnlisted(session: AuditSession, options: CompareObjectsOptions): Promise<number> {
  await session.query(
    `delete from audit_unlisted u where exists (select from image_info i where i.image_key = u.image_key)
       or u.image_key in (select image_key from prediction_results where pipeline = $1 and bucket is null)
       or u.image_key in (select image_key from dead_letters where pipeline = $1 and image_key is not null)
       or u.image_key in (select image_key from audit_topic where image_key is not null)`,
    [options.pipeline],
  );
  if (options.nameUnlisted) {
    await session.query(
      `insert into audit_found (class, kind, image_key)
       select 'orphaned', 'object', image_key from audit_unlisted order by image_key collate "C"`,
    );
  }
  const { rows } = await session.query<{ count: number }>('select count(*) as count from audit_unlisted');
  return rows[0]?.count ?? 0;
}

/** Collects keys, each with a mark, and writes them by the thousand. */
class Keys {
  readonly #session: AuditSession;
  readonly #statement: string;
  #columns: [string[], boolean[]?] = [[]];

  constructor(session: AuditSession, statement: string) {
    this.#session = session;
    this.#statement = statement;
  }

  async add(key: string, mark?: boolean): Promise<void> {
    this.#columns[0].push(key);
    if (mark !== undefined) (this.#columns[1] ??= []).push(mark);
    if (this.#columns[0].length >= pageSize) await this.flush();
  }

  async flush(): Promise<void> {
    const columns = this.#columns;
    if (columns[0].length === 0) return;
    this.#columns = [[]];
    await this.#session.query(this.#statement, columns);
  }
}

/** Joins two streams that are sorted by their keys, holding one item of each. */
type Joined<Left, Right> =
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
