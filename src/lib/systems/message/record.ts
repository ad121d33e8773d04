/** Records: what a topic takes, and what it hands out. */

/** A record on its way in. Headers are text; the value is what a consumer gets, byte for byte. */
export interface OutgoingRecord {
  key: Buffer | null;
  value: Buffer;
  headers: Record<string, string>;
}

/** A record as read. An empty value may come back as null. `timestamp` is in milliseconds since the epoch; offsets are exact up to 2^53. */
export interface TopicRecord {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, string>;
}
