/** One listener of the stream of results: server-sent events with heartbeats, dropped when it reads too slowly. */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { Place, StreamedResult } from '../../../systems/database/tables/results.ts';

export interface EventStream {
  /** The body of the answer. */
  body: Readable;
  /** Resolves when the listener can take more. */
  send(results: readonly StreamedResult[]): Promise<void>;
  /** Aborts when the listener is gone, or too slow. */
  gone: AbortSignal;
  end(): void;
}

export interface EventStreamOptions {
  heartbeatMs?: number;
  /** Unread bytes with which a listener is too slow. */
  mostUnread?: number;
}

/** Below the minute after which a silent connection is closed, here and in most proxies. */
const defaultHeartbeatMs = 15_000;
const defaultMostUnread = 1024 * 1024;

/** What a client does on losing the stream: come again soon, with the id of the last event it has. */
const opening = 'retry: 1000\n\n';

export function eventStream(options: EventStreamOptions = {}): EventStream {
  const { heartbeatMs = defaultHeartbeatMs, mostUnread = defaultMostUnread } = options;
  const body = new PassThrough({ highWaterMark: 64 * 1024 });
  const gone = new AbortController();
  const write = (text: string): boolean => {
    const hasRoom = body.write(text);
    // It comes again with the id of its last event, and misses nothing.
    if (body.writableLength + body.readableLength > mostUnread) body.destroy();
    return hasRoom;
  };
  const heartbeat = setInterval(() => write(':\n\n'), heartbeatMs);
  body.once('close', () => {
    clearInterval(heartbeat);
    gone.abort();
  });
  body.on('error', () => undefined);
  write(opening);
  return {
    body,
    gone: gone.signal,
    async send(results) {
      if (body.destroyed || write(results.map(eventOf).join(''))) return;
      if (!body.destroyed) await Promise.race([once(body, 'drain'), once(body, 'close')]);
    },
    end: () => void body.end(),
  };
}

function eventOf({ place, result }: StreamedResult): string {
  return `id: ${place.tx}.${place.row}\nevent: result\ndata: ${JSON.stringify(result)}\n\n`;
}

/** Reads an event's id back; undefined where it is none. */
export function placeOf(eventId: string): Place | undefined {
  const parts = /^(\d{1,19})\.(\d{1,15})$/.exec(eventId.trim());
  return parts ? { tx: parts[1]!, row: Number(parts[2]) } : undefined;
}
