/** Keys that label: one a class, and those that move, select and undo. */
import { useEffect, useRef } from 'preact/hooks';
import { type Labelling, labelKeys } from './labelling.ts';

interface Keyboard {
  labelling: Labelling;
  /** Labels in the order of their keys. */
  keyed: readonly string[];
  give: (label: string) => void;
  confirm: () => void;
  region: { current: HTMLElement | null };
  grid: { current: HTMLElement | null };
  finder: { current: HTMLElement | null };
}

/** While `isOn`. */
export function useKeyboard(isOn: boolean, keyboard: Keyboard): void {
  // The newest: keys come faster than effects run.
  const newest = useRef(keyboard);
  newest.current = keyboard;
  useEffect(() => {
    if (!isOn) return;
    const listen = (event: KeyboardEvent) => {
      const act = actionOf(event, newest.current);
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [isOn]);
}

function actionOf(
  { key, ctrlKey, metaKey, altKey, shiftKey, target }: KeyboardEvent,
  { labelling, keyed, give, confirm, region, grid, finder }: Keyboard,
): (() => void) | undefined {
  if (labelling.images === undefined || altKey || !isFor(target as HTMLElement, region.current))
    return undefined;
  if (ctrlKey || metaKey) {
    if (key === 'z') return () => labelling.undo();
    return key === 'a' ? () => labelling.selectAll() : undefined;
  }
  if ((key === 'Enter' || key === ' ') && (target as HTMLElement).matches('button, a')) return undefined;
  const by = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns(grid.current),
    ArrowDown: columns(grid.current),
  }[key];
  if (by !== undefined) return () => labelling.move(by, shiftKey);
  if (key === ' ') return () => labelling.toggle();
  if (key === 'a') return () => labelling.selectAll();
  if (key === 'u') return () => labelling.undo();
  if (key === 'Escape') return () => labelling.select([]);
  if (key === 'Enter') return confirm;
  if (key === '/') return () => finder.current?.focus();
  const label = keyed[labelKeys.indexOf(key)];
  return label === undefined ? undefined : () => give(label);
}

/** Keys that are pressed elsewhere on the page, or in a field, are not for us. */
function isFor(target: HTMLElement, region: HTMLElement | null): boolean {
  if (target.matches('input, select, textarea')) return false;
  return target === document.body || region?.contains(target) === true;
}

function columns(list: HTMLElement | null): number {
  const items = [...(list?.children ?? [])] as HTMLElement[];
  const second = items.findIndex(({ offsetTop }) => offsetTop > items[0]!.offsetTop);
  return second === -1 ? items.length : second;
}
