/**
 * The results as they come, over one connection for the whole page: it begins with the first who follows, ends with the last,
 * and after a loss goes on behind the last result that came, so that none is missed or told twice.
 */
import { useEffect, useState } from 'preact/hooks';
import type { Result } from './answers.ts';
import { ApiError, openStream } from './api.ts';
import { EventParser } from './events.ts';

export interface StreamState {
  state: 'connecting' | 'live' | 'lost';
  /** By `Date.now()`. */
  since: number;
  error?: ApiError;
}

type Take = (results: readonly Result[]) => void;

/** The server writes at least every 15 s. */
const silentMs = 40_000;
const pauseMs = { first: 1000, most: 10_000 };

const takers = new Set<Take>();
const watchers = new Set<(state: StreamState) => void>();
let current: StreamState = { state: 'connecting', since: Date.now() };
let connection: AbortController | undefined;

/** Hands on every result from about now on, in order; returns what ends it. */
export function follow(take: Take): () => void {
  takers.add(take);
  if (connection === undefined) {
    connection = new AbortController();
    tell({ state: 'connecting', since: Date.now() });
    void stay(connection.signal);
  }
  return () => {
    takers.delete(take);
    if (takers.size > 0) return;
    connection?.abort();
    connection = undefined;
    // Who comes next is not told that the former connection is live.
    tell({ state: 'connecting', since: Date.now() });
  };
}

export function useStreamState(): StreamState {
  const [state, setState] = useState(current);
  useEffect(() => {
    setState(current);
    watchers.add(setState);
    return () => void watchers.delete(setState);
  }, []);
  return state;
}

function tell(state: StreamState): void {
  current = state;
  for (const watch of watchers) watch(state);
}

async function stay(over: AbortSignal): Promise<void> {
  // Of the last event that came whole.
  let place = '';
  let pause = pauseMs.first;
  while (!over.aborted) {
    let error: ApiError | undefined;
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), silentMs);
    try {
      const signal = AbortSignal.any([over, silent.signal]);
      const parser = new EventParser();
      const reader = (await openStream(place, signal)).pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done || over.aborted) break;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), silentMs);
        const events = parser.push(value);
        if (events.length === 0) continue;
        place = events.at(-1)!.id || place;
        pause = pauseMs.first;
        if (current.state !== 'live') tell({ state: 'live', since: Date.now() });
        const results = events.flatMap(({ data }) => (data === '' ? [] : [JSON.parse(data) as Result]));
        if (results.length > 0) for (const take of takers) take(results);
      }
    } catch (reason) {
      error = reason instanceof ApiError ? reason : new ApiError(0, String(reason));
    }
    clearTimeout(timer);
    // The parser may have given up on a connection that is still open.
    silent.abort();
    if (over.aborted) return;
    const since = current.state === 'lost' ? current.since : Date.now();
    tell({ state: 'lost', since, ...(error !== undefined && { error }) });
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(2 * pause, pauseMs.most);
  }
}
