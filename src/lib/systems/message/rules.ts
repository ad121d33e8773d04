/** How messages are read: which buckets' events are meant, how their keys are written, and which object they name. */
import type { StoreSettings } from '../objects/open.ts';
import { objectKeyFault } from '../objects/store.ts';

/** How the keys in S3 events are written: percent- and plus-encoded, as they are, or as their sender is known to. */
export const eventKeyForms = ['auto', 'encoded', 'raw'] as const;
export type EventKeyForm = (typeof eventKeyForms)[number];

export interface MessageRules {
  /** Where the configured store keeps its objects; null where it is a directory. */
  store: { bucket: string; prefix: string } | null;
  /** Other buckets whose images may be asked for. */
  buckets: readonly string[];
  eventKeys: EventKeyForm;
  /** Most requests of one message; absent: `defaultMessageRequests`. */
  messageRequests?: number;
}

export const defaultMessageRequests = 1000;

/** A store in a directory, and no bucket. */
export const defaultRules: MessageRules = { store: null, buckets: [], eventKeys: 'auto' };

export function messageRules(
  store: StoreSettings,
  { buckets, eventKeys, messageRequests }: Omit<Required<MessageRules>, 'store'>,
): MessageRules {
  return {
    store: store.kind === 's3' ? { bucket: store.bucket, prefix: store.prefix } : null,
    buckets,
    eventKeys,
    messageRequests,
  };
}

/** Where an object that a message names by bucket and key is: in the configured store, in an allowed bucket, or out of bounds. */
export type ObjectPlace =
  | { kind: 'image'; bucket: string | null; imageKey: string }
  /** Not an image that somebody put there. */
  | { kind: 'ignored'; reason: string }
  | { kind: 'refused'; imageKey: string | null; code: string; reason: string };

/** What the tool itself keeps in the store: published models. */
const ownFolder = '.visionscale/';

/** An object of the configured store is known by the store's own key, without the store's prefix. */
export function placeOf(bucket: string, key: string, { store, buckets }: MessageRules): ObjectPlace {
  // What consoles make of an empty folder.
  if (key.endsWith('/')) return { kind: 'ignored', reason: 'a directory marker' };
  const base = store === null || store.prefix === '' ? '' : `${store.prefix}/`;
  const inStore = store?.bucket === bucket && key.startsWith(base);
  const imageKey = inStore ? key.slice(base.length) : key;
  if (inStore && imageKey.startsWith(ownFolder))
    return { kind: 'ignored', reason: 'an object of visionscale’s own' };
  const fault = objectKeyFault(imageKey);
  if (fault !== undefined) {
    return {
      kind: 'refused',
      imageKey: null,
      code: 'bad_key',
      reason: `the object's key cannot be an image key: ${fault}`,
    };
  }
  if (inStore) return { kind: 'image', bucket: null, imageKey };
  if (buckets.includes(bucket)) return { kind: 'image', bucket, imageKey };
  const name = JSON.stringify(bucket.slice(0, 100)).replaceAll(/\p{Cc}/gu, '?');
  if (store?.bucket === bucket) {
    return {
      kind: 'refused',
      imageKey,
      code: 'outside_store',
      reason: `the object is in the bucket ${name}, but not below the store's folder ${JSON.stringify(store.prefix)}: limit the sender's events to that folder, or allow the whole bucket with consume --buckets`,
    };
  }
  return {
    kind: 'refused',
    imageKey,
    code: 'bucket_not_allowed',
    reason: `the object is in the bucket ${name}, which is not the store's: allow it with consume --buckets`,
  };
}
