/** The message that asks for an image of `image_info`: its key, and everything else in headers. */
import type { OutgoingRecord } from '../topic/topic.ts';
import { header, keyContentType } from './headers.ts';
import { producedRequestId } from './request.ts';

export interface KeyMessage {
  key: string;
  round: number;
  capturedAt: Date;
  belt: string | undefined;
}

export function keyMessage({ key, round, capturedAt, belt }: KeyMessage): OutgoingRecord {
  const bytes = Buffer.from(key);
  const headers: Record<string, string> = {
    [header.requestId]: producedRequestId(key, round),
    [header.contentType]: keyContentType,
    [header.capturedAt]: capturedAt.toISOString(),
  };
  if (belt !== undefined) headers[header.belt] = belt;
  return { key: bytes, value: bytes, headers };
}
