/** A message of many as it would be if it asked for one thing alone: what a dead letter keeps, and a retry sends once more. */
import { header } from '../../../systems/message/headers.ts';
import { maxRequestIdBytes, type Request } from '../../../systems/message/request.ts';
import { retryNumber } from '../../../systems/message/retry.ts';
import type { TopicRecord } from '../../../systems/topic/topic.ts';

export function own(record: TopicRecord, { alone }: Pick<Request, 'alone'>): TopicRecord {
  return alone === null ? record : { ...record, key: null, value: alone, headers: ofParts(record.headers) };
}

/** What holds for every part of a message. The rest, which may be large, is not kept a thousand times. */
function ofParts(headers: Record<string, string>): Record<string, string> {
  const names = retryNumber(headers) === null ? told : [...told, header.requestId, header.retry];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return value !== undefined && value.length <= longestTold ? [[name, value]] : [];
    }),
  );
}

const told = [header.capturedAt, header.belt, header.traceparent];
/** No longer one of them counts. */
const longestTold = maxRequestIdBytes;
