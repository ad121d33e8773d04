/** What both faces of the belt view share. */
import { useEffect, useRef } from 'preact/hooks';
import type { Result } from '../shared/answers.ts';
import { age } from '../shared/format.ts';
import { useClock } from '../shared/hooks.ts';
import { Ticking } from '../shared/parts.tsx';
import type { StreamState } from '../shared/stream.ts';
import { texts } from '../texts.ts';

const { belt: t } = texts;

/** A result, and its picture as it was drawn. */
export interface Pictured {
  result: Result;
  picture: HTMLCanvasElement | undefined;
}

/** Whether results come as they are made. */
export function Connection({ stream: { state, since } }: { stream: StreamState }) {
  const now = useClock();
  if (state === 'live')
    return (
      <span class="pill ok" role="status">
        {t.live}
      </span>
    );
  return (
    <span class={`pill ${state === 'lost' ? 'bad' : ''}`} role="status">
      {state === 'lost' ? <Ticking>{t.lost(age(now - since))}</Ticking> : texts.loading}
    </span>
  );
}

/** Holds a canvas that was drawn elsewhere. */
export function Drawn({ picture, name }: { picture: HTMLCanvasElement | undefined; name: string }) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => frame.current!.replaceChildren(...(picture === undefined ? [] : [picture])), [picture]);
  return <div class={name} ref={frame} aria-hidden="true" />;
}
