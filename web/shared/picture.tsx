/** An image of the pipeline, made small. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import { ApiError, mayPass, picture } from './api.ts';

interface PictureProps {
  imageKey: string | null;
  side: 192 | 1024;
  alt: string;
}

/** Asked for with the token, which an `img` cannot send; again where it may come a moment later. */
export function Picture({ imageKey, side, alt }: PictureProps) {
  const [shown, setShown] = useState<{ url?: string; why?: string; mayCome?: boolean }>({});
  const frame = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (imageKey === null) return setShown({ why: texts.images.notKept });
    const stop = new AbortController();
    const { signal } = stop;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let url: string | undefined;
    setShown({});
    const look = async (pause: number) => {
      try {
        const blob = await picture(imageKey, side, signal);
        // Nobody would give it back.
        if (signal.aborted) return;
        setShown({ url: (url = URL.createObjectURL(blob)) });
      } catch (error) {
        if (signal.aborted) return;
        // An answer may be cut off, too.
        const told = error instanceof ApiError ? error : new ApiError(0, String(error));
        const mayCome = mayPass(told);
        setShown({ why: whyNot(told), mayCome });
        const again = () => void look(Math.min(2 * pause, pictureAgainMs.most));
        if (mayCome) timer = setTimeout(() => whenSeen(frame.current, again, signal), pause);
      }
    };
    void look(pictureAgainMs.first);
    return () => {
      stop.abort();
      clearTimeout(timer);
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [imageKey, side]);
  const { url, why, mayCome } = shown;
  if (url !== undefined) return <img class="picture" src={url} alt={alt} />;
  const { noPicture, noPictureYet, trying } = texts.images;
  const reason = mayCome === true ? `${why} ${trying}` : why;
  return (
    <span class="picture none" ref={frame} title={reason}>
      {why !== undefined && <span>{mayCome === true ? noPictureYet : noPicture}</span>}
      {/* There is room for it, and a finger finds no title. */}
      {side === 1024 && reason !== undefined && <span class="hint">{reason}</span>}
    </span>
  );
}

const pictureAgainMs = { first: 2000, most: 60_000 };

function whyNot({ status, message, hint }: ApiError): string {
  return status === 0 ? texts.notAnswering : [`${message}.`, hint].join(' ').trim();
}

/** At once where it is on the screen, else as soon as it is. */
function whenSeen(element: Element | null, then: () => void, over: AbortSignal): void {
  if (element === null || over.aborted) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    then();
  });
  observer.observe(element);
  over.addEventListener('abort', () => observer.disconnect(), { once: true });
}
