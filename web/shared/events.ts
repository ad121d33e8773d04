/** Server-sent events out of the text of a stream, as the server writes them: `EventSource` cannot send a token. */

export interface ServerEvent {
  /** Empty where it has none. */
  id: string;
  /** Empty: it only says where the stream is. */
  data: string;
}

/** Longer than any event. */
const mostWaiting = 1024 * 1024;

export class EventParser {
  #waiting = '';

  /** The events that are whole by now; what is cut off waits for the next text. Throws where an event never ends. */
  push(text: string): ServerEvent[] {
    const blocks = (this.#waiting + text).split('\n\n');
    this.#waiting = blocks.pop()!;
    if (this.#waiting.length > mostWaiting) throw new Error('an event without an end');
    return blocks.map(eventOf).filter(({ id, data }) => id !== '' || data !== '');
  }
}

function eventOf(block: string): ServerEvent {
  let id = '';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]*):? ?(.*)$/.exec(line)!;
    if (field === 'id') id = value;
    else if (field === 'data') data.push(value);
  }
  return { id, data: data.join('\n') };
}
