/** The images to label: those that are selected, and the one that keys move. */
import { useRef } from 'preact/hooks';
import { percent } from '../shared/format.ts';
import { Picture } from '../shared/picture.tsx';
import { texts } from '../texts.ts';
import type { Labelling, Unsure } from './labelling.ts';
import { useRubberBand } from './rubber-band.ts';

interface GridProps {
  labelling: Labelling;
  images: Unsure[];
  list: { current: HTMLUListElement | null };
  mayAct: boolean;
}

export function Grid({ labelling, images, list, mayAct }: GridProps) {
  const { selected, cursor } = labelling;
  const former = useRef<string[]>([]);
  const { band, drawn, begin } = useRubberBand({
    list,
    select: (within, joins) => {
      const keys = within.map((n) => labelling.images![n]!.imageKey);
      labelling.select(joins ? [...former.current, ...keys] : keys);
    },
  });
  // Not all browsers tell of a click what made it.
  const isTouch = useRef(false);
  const down = (event: PointerEvent) => {
    isTouch.current = event.pointerType === 'touch';
    former.current = [...labelling.selected];
    begin(event);
  };
  const click = (event: MouseEvent, index: number) => {
    if (drawn.current) return;
    const toggle = event.ctrlKey || event.metaKey || isTouch.current;
    labelling.click(index, { shift: event.shiftKey, toggle });
  };
  return (
    <>
      <ul
        ref={list}
        class={`grid ${mayAct ? 'pick' : ''}`}
        aria-label={texts.label.grid}
        {...(mayAct && {
          role: 'listbox',
          'aria-multiselectable': true,
          'aria-activedescendant': `image-${cursor}`,
          tabIndex: 0,
          onPointerDown: down,
          onDragStart: (event: Event) => event.preventDefault(),
        })}
      >
        {images.map((image, n) => {
          const { imageKey, category, confidence, novelty } = image;
          const isChosen = selected.has(imageKey);
          return (
            <li
              key={imageKey}
              id={`image-${n}`}
              class={`${isChosen ? 'chosen' : ''} ${mayAct && n === cursor ? 'cursor' : ''}`}
              title={imageKey}
              {...(mayAct && {
                role: 'option',
                'aria-selected': isChosen,
                onClick: (event: MouseEvent) => click(event, n),
              })}
            >
              <Picture imageKey={imageKey} side={192} alt="" />
              <span class="name">{category}</span>
              <span class="facts">{percent(confidence)}</span>
              {novelty !== null && novelty >= 1 && <span class="pill warn">{texts.images.unknown}</span>}
            </li>
          );
        })}
      </ul>
      <div ref={band} class="band" hidden />
    </>
  );
}
