/** What a message is as one dead letter: the one thing it asks for, or all of it. */
import { parseMessage } from './parse.ts';
import type { TopicRecord } from './record.ts';
import type { Refused, Request } from './request.ts';
import { wholeLetterId } from './retry.ts';
import type { MessageRules } from './rules.ts';

export type Whole = Pick<Refused, 'requestId' | 'imageKey' | 'belt' | 'traceparent' | 'alone'>;

/** Never throws: the message may be one that nothing here can cope with. */
export function wholeOf(record: TopicRecord, rules: MessageRules): Whole {
  const one = theOne(record, rules);
  if (one !== null) return 'id' in one ? { ...one, requestId: one.id } : one;
  return { requestId: wholeLetterId(record), imageKey: null, belt: null, traceparent: null, alone: null };
}

function theOne(record: TopicRecord, rules: MessageRules): Request | Refused | null {
  try {
    const message = parseMessage(record, rules);
    if (message.kind === 'unreadable') return { ...message, imageKey: null, alone: null };
    if (message.kind === 'ignored') return null;
    const all = [...message.requests, ...message.refused];
    return all.length === 1 ? all[0]! : null;
  } catch {
    return null;
  }
}
