/** A rectangle drawn with the pointer over a list: what it touches is within. A finger scrolls instead. */
import { useRef } from 'preact/hooks';

/** Pixels that the pointer moves before it draws a rubber band. */
const from = 6;

interface Band {
  /** Told while it is drawn: places in the list, and whether they join what was selected before. */
  select: (within: number[], joins: boolean) => void;
  list: { current: HTMLElement | null };
}

export function useRubberBand({ select, list }: Band) {
  const band = useRef<HTMLDivElement>(null);
  const drawn = useRef(false);
  const begin = (down: PointerEvent) => {
    drawn.current = false;
    if (down.button !== 0 || down.pointerType === 'touch') return;
    const joins = down.shiftKey || down.ctrlKey || down.metaKey;
    const [x, y] = [down.pageX, down.pageY];
    const move = (event: PointerEvent) => {
      if (band.current === null || list.current === null) return;
      const width = Math.abs(event.pageX - x);
      const height = Math.abs(event.pageY - y);
      if (!drawn.current && width + height < from) return;
      drawn.current = true;
      const left = Math.min(x, event.pageX) - scrollX;
      const top = Math.min(y, event.pageY) - scrollY;
      const { style } = band.current;
      band.current.hidden = false;
      for (const [name, value] of Object.entries({ left, top, width, height }))
        style.setProperty(name, `${value}px`);
      const within = [...list.current.children].flatMap((item, n) => {
        const box = item.getBoundingClientRect();
        const isIn =
          box.left < left + width && box.right > left && box.top < top + height && box.bottom > top;
        return isIn ? [n] : [];
      });
      select(within, joins);
    };
    const end = () => {
      // The list may be empty by now, and gone.
      if (band.current !== null) band.current.hidden = true;
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
  };
  /** `drawn`: the click that follows is the end of one. */
  return { band, drawn, begin };
}
