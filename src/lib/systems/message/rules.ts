/** How messages are read: which buckets' events are meant, and how their keys are written. */
import type { StoreSettings } from '../objects/open.ts';

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
