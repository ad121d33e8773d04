/** The latest result in large type, for a screen above the belt. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Result } from '../shared/answers.ts';
import { percent } from '../shared/format.ts';
import { markOf } from '../shared/marks.ts';
import { Mark } from '../shared/parts.tsx';
import type { StreamState } from '../shared/stream.ts';
import { texts } from '../texts.ts';
import { drawnPicture } from './drawn.ts';
import { Connection, Drawn, type Pictured } from './parts.tsx';

const { belt: t } = texts;

/** For as long as an eye needs from five metres. */
const showMs = 800;

interface BigProps {
  belt: string | null;
  latest: { readonly current: Result | undefined };
  stream: StreamState;
  leave: () => void;
}

export function Big({ belt, latest, stream, leave }: BigProps) {
  const shown = useShown(latest);
  const words = useFitting();
  useEffect(() => {
    const key = (event: KeyboardEvent) => void (event.key === 'Escape' && leave());
    // In full screen the browser keeps that key for itself.
    const screen = () => void (document.fullscreenElement === null && leave());
    addEventListener('keydown', key);
    document.addEventListener('fullscreenchange', screen);
    return () => {
      removeEventListener('keydown', key);
      document.removeEventListener('fullscreenchange', screen);
      // It may be left by the browser's way back, too.
      if (document.fullscreenElement !== null) void document.exitFullscreen().catch(() => undefined);
    };
  }, [belt]);
  const mark = shown === undefined ? '' : (markOf(shown.result) ?? '');
  return (
    <div class={`big ${mark}`} role="dialog" aria-modal="true" aria-label={t.big}>
      <div class="row big-head">
        {belt !== null && <strong>{belt}</strong>}
        <Connection stream={stream} />
        <button type="button" onClick={leave} ref={useCallback((it: HTMLElement | null) => it?.focus(), [])}>
          {t.leave}
        </button>
      </div>
      {shown !== undefined && <Drawn picture={shown.picture} name="big-picture" />}
      <div class="big-text">
        <div ref={words}>
          <p class="big-name">{shown === undefined ? t.none : shown.result.category}</p>
          {shown !== undefined && (
            <>
              {shown.result.bin !== null && <p class="big-bin">→ {shown.result.bin}</p>}
              <p class="big-facts">
                {percent(shown.result.confidence)} <Mark result={shown.result} words={t.marks} />
              </p>
            </>
          )}
        </div>
      </div>
    </div>
  );
}

/** Words as large as they fit into the box around them, none cut in two. */
function useFitting() {
  const words = useRef<HTMLDivElement>(null);
  const fit = useCallback(() => {
    const element = words.current!;
    const box = element.parentElement!;
    for (let size = 1; size > 0.2; size *= 0.92) {
      element.style.setProperty('--size', String(size));
      if (element.scrollWidth <= box.clientWidth && element.offsetHeight <= box.clientHeight) return;
    }
  }, []);
  useLayoutEffect(fit);
  useEffect(() => {
    addEventListener('resize', fit);
    return () => removeEventListener('resize', fit);
  }, [fit]);
  return words;
}

/** The latest result together with its picture, each for a while. */
function useShown(latest: BigProps['latest']): Pictured | undefined {
  const [shown, setShown] = useState<Pictured>();
  useEffect(() => {
    const stop = new AbortController();
    let former: Result | undefined;
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      const result = latest.current;
      if (result !== undefined && result !== former && !document.hidden) {
        former = result;
        const picture = await drawnPicture(result.imageKey, 1024, stop.signal).catch(() => undefined);
        if (stop.signal.aborted) return;
        setShown({ result, picture });
        timer = setTimeout(() => void look(), showMs);
      } else {
        timer = setTimeout(() => void look(), 100);
      }
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [latest]);
  return shown;
}
