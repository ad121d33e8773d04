/** The labelling of what a search finds, by the server. */
import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { get, post } from '../api.ts';
import { type Correction, Labelling, type LabellingApi, type Unsure } from '../labelling.ts';

/** The least time between two questions for images, in milliseconds. */
const everyMs = 5000;

/**
 * Asks for images where few are left, once; and again when `newest`, the time of the newest result, says that others may
 * have come, or after a failure.
 */
export function useLabelling(query: string, newest: string | null | undefined): Labelling {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const labelling = useMemo(() => new Labelling(server(query), () => redraw(undefined)), [query]);
  const askedAt = useRef(-Infinity);
  const { isLow, error } = labelling;
  useEffect(() => {
    askedAt.current = -Infinity;
  }, [labelling]);
  useEffect(() => {
    if (!isLow) return;
    const look = async () => {
      // Nobody sees a hidden page: it asks when it is looked at again.
      if (document.hidden) return document.addEventListener('visibilitychange', seen, { once: true });
      askedAt.current = performance.now();
      // Keys may have been faster than the answer.
      while ((await labelling.fetch()) && labelling.isLow);
    };
    const seen = () => void look();
    const timer = setTimeout(seen, Math.max(0, askedAt.current + everyMs - performance.now()));
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [labelling, isLow, newest, error]);
  return labelling;
}

function server(query: string): LabellingApi {
  return {
    unsure: async (limit) => (await get<{ images: Unsure[] }>(`/v1/unsure?limit=${limit}&${query}`)).images,
    correct: async (corrections, isNew) =>
      (await post<{ corrections: Correction[] }>('/v1/corrections', { corrections, new: isNew })).corrections,
    undo: async (corrections) => {
      const body = corrections.map(({ imageKey, label, former }) => ({ imageKey, label, former }));
      await post('/v1/corrections/undo', { corrections: body });
    },
  };
}
