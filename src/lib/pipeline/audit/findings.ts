/** What an audit can find: the classes, their kinds, and how each is told to a person. */

export const findingClasses = ['missing', 'doubled', 'orphaned', 'mismatched'] as const;
export type FindingClass = (typeof findingClasses)[number];

export type FindingKind =
  /**
   * missing: a message lies before the recorded position, and its request has no outcome and comes no more. mismatched:
   * the outcome under its request id is another image's.
   */
  | 'message'
  /** missing: marked as produced, but there is neither an outcome nor a message. */
  | 'row'
  /** missing: a row whose object is gone. orphaned: an object that nothing names. */
  | 'object'
  /** doubled: a request with a prediction and an open dead letter. */
  | 'outcomes'
  /** doubled: a message recorded as what it asks for, and as another request too. */
  | 'position'
  /**
   * doubled: more than one prediction for one round of an image. orphaned: a prediction that nothing asked for.
   * mismatched: a prediction whose request id names another image.
   */
  | 'prediction'
  /** orphaned: a dead letter that nothing asked for. mismatched: one whose request id names another image. */
  | 'dead_letter';

export interface Finding {
  /** The image key; null where a message that could not be read had none. */
  key: string | null;
  requestId?: string;
  kind: FindingKind;
  detail: string;
}

/** As the database holds it until it is told. */
export interface FoundRow {
  class: FindingClass;
  kind: FindingKind;
  image_key: string | null;
  request_id: string | null;
  partition: number | null;
  offset: number | null;
  /** How many there are, where that is the fault. */
  count: number | null;
}

export function toFinding(row: FoundRow): Finding {
  return {
    key: row.image_key,
    ...(row.request_id !== null && { requestId: row.request_id }),
    kind: row.kind,
    detail: explain(row),
  };
}

function explain({ class: found, kind, partition, offset, count }: FoundRow): string {
  if (found === 'mismatched' && kind !== 'message') return 'its request id names another image';
  const place = `partition ${partition}, offset ${offset}`;
  switch (kind) {
    case 'message':
      if (found === 'mismatched')
        return `its message (${place}) has the request id of another image’s outcome, and counted as a repetition of it`;
      return `its message (${place}) lies before the recorded position, and there is neither a prediction nor a dead letter`;
    case 'row':
      return 'it is marked as produced, but there is neither a prediction nor a dead letter, and the topic does not hold its message';
    case 'object':
      return found === 'missing'
        ? 'the object store does not hold its object'
        : 'an object that no row, message, prediction or dead letter names';
    case 'outcomes':
      return 'it has a prediction and an open dead letter';
    case 'position':
      return `recorded for ${place}, whose message asks for another request, which is recorded too`;
    case 'prediction':
      return found === 'doubled'
        ? `${count} predictions for one round of this image`
        : `nothing asked for this prediction (recorded for ${place})`;
    case 'dead_letter':
      return `nothing asked for this dead letter (recorded for ${place})`;
  }
}
