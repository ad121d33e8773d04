/** Our own envelope: a JSON object that asks for one image, for senders that cannot set headers. */
import { objectKeyFault } from '../objects/store.ts';
import { maxRequestIdBytes } from './request.ts';
import { placeOf, type ObjectPlace, type MessageRules } from './rules.ts';
import { beltOf, plainText, timeOf, traceparentOf } from './values.ts';

/** `{"visionscale": 1, "imageKey": "…", "id"?, "bucket"?, "capturedAt"?, "belt"?, "traceparent"?}`; what else is there is left alone. */
export interface Envelope {
  place: ObjectPlace;
  id: string | null;
  capturedAt: number | null;
  belt: string | null;
  traceparent: string | null;
}

const version = 1;

export function isEnvelope(json: Record<string, unknown>): boolean {
  return Object.hasOwn(json, 'visionscale');
}

/** The envelope, or why it cannot be read. */
export function readEnvelope(json: Record<string, unknown>, rules: MessageRules): Envelope | string {
  if (json['visionscale'] !== version) return `only envelopes of version ${version} are supported`;
  const { imageKey, bucket } = json;
  if (typeof imageKey !== 'string') return 'the envelope has no imageKey';
  if (bucket !== undefined && bucket !== null && typeof bucket !== 'string')
    return 'the envelope’s bucket is not text';
  const fault = objectKeyFault(imageKey);
  if (fault !== undefined) return `the envelope’s imageKey cannot be an image key: ${fault}`;
  return {
    place:
      typeof bucket === 'string'
        ? placeOf(bucket, imageKey, rules)
        : { kind: 'image', bucket: null, imageKey },
    id: plainText(json['id'], maxRequestIdBytes),
    capturedAt: timeOf(json['capturedAt']),
    belt: beltOf(json['belt']),
    traceparent: traceparentOf(json['traceparent']),
  };
}
