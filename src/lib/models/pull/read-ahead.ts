/** Reads an answer as fast as it comes. */
import { EventEmitter, once } from 'node:events';
import type { Response } from 'undici';

/**
 * The same chunks, taken from the connection at once however slowly they are written: undici 7 ends the process where a
 * connection breaks that nobody reads from (its issue 5360). At most `maxBytes` wait, which have to fit into memory anyway.
 */
export function readAhead(body: Response['body'], maxBytes: number, tooLarge: () => Error): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  const come = new EventEmitter();
  let bytes = 0;
  let isOver = false;
  const read = async () => {
    for await (const chunk of (body as AsyncIterable<Uint8Array> | null) ?? []) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      waiting.push(chunk);
      come.emit('more');
    }
  };
  const reading = read().finally(() => {
    isOver = true;
    come.emit('more');
  });
  reading.catch(() => undefined);
  return (async function* () {
    while (!isOver || waiting.length > 0) {
      const next = waiting.shift();
      if (next === undefined) await once(come, 'more');
      else yield next;
    }
    // What broke it comes behind all that came before.
    await reading;
  })();
}
