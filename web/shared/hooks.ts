/** What views share: asking again and again, and the place in the address. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, get } from './api.ts';

export interface Polled<T> {
  data: T | undefined;
  error: ApiError | undefined;
  /** When the last answer came, by `Date.now()`. */
  at: number;
  again: () => void;
}

/** A server that has fallen silent is asked anew after this, in milliseconds. */
const longestMs = 20_000;

/**
 * Asks at once, and again so many milliseconds after each answer while the page is seen. `path` null: not at all. `of`: what it is
 * about; as long as that stays, what is known does, too, though it is asked for otherwise.
 */
export function usePoll<T>(path: string | null, everyMs: number, of = path): Polled<T> {
  const [state, setState] = useState<{ of: string | null; data?: T; error?: ApiError; at: number }>({
    of,
    at: Date.now(),
  });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsking = false;
    const look = async () => {
      if (isAsking) return;
      isAsking = true;
      clearTimeout(timer);
      try {
        const data = await get<T>(path, AbortSignal.any([stop.signal, AbortSignal.timeout(longestMs)]));
        setState({ of, data, at: Date.now() });
      } catch (error) {
        if (stop.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((former) => ({
          ...(former.of === of ? former : { of, at: Date.now() }),
          error: told,
        }));
      }
      isAsking = false;
      if (!stop.signal.aborted) timer = setTimeout(wait, everyMs);
    };
    // Nobody sees a hidden page: it asks when it is looked at again.
    const wait = () => void (document.hidden ? undefined : look());
    const seen = () => void (document.hidden ? undefined : look());
    document.addEventListener('visibilitychange', seen);
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [path, everyMs, of, turn]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const mine = state.of === of ? state : { data: undefined, error: undefined, at: Date.now() };
  return { data: mine.data, error: mine.error, at: mine.at, again };
}

export interface Place {
  view: string;
  /** What follows the view: an id. */
  rest: string;
  query: URLSearchParams;
}

function place(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [view = '', ...rest] = path.split('/');
  return { view, rest: decoded(rest.join('/')), query: new URLSearchParams(query) };
}

/** An address may have been cut off, or typed. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function usePlace(): Place {
  const [now, setNow] = useState(place);
  useEffect(() => {
    const moved = () => setNow(place());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return now;
}

/** Something that depends on the time, shown anew every second. */
export function useClock(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
