/**
 * From an image's page back to where one came from, over its neighbours that were looked at meanwhile. Each entry of the
 * browser's history has a number, and an image's remembers the last entry that was none; both outlive a reload.
 */
import { useEffect } from 'preact/hooks';

interface Entry {
  n: number;
  from?: From | undefined;
}

export interface From {
  /** `#/images?belt=north`. */
  hash: string;
  n: number;
}

/** How far down other entries were left, and what they want to find again. */
const left = new Map<number, number>();
const kept = new Map<number, unknown>();

function entry(): Entry | null {
  const state = history.state as Entry | null;
  return typeof state?.n === 'number' ? state : null;
}

let current: Entry = entry() ?? { n: 0 };
history.replaceState(current, '');

function isImage(hash: string): boolean {
  return hash.startsWith('#/image/');
}

// Before any view hears of it, for this is the first who listens.
addEventListener('hashchange', ({ oldURL }) => {
  left.set(current.n, scrollY);
  const before = current;
  const known = entry();
  if (known !== null) return void (current = known);
  const { hash } = new URL(oldURL);
  const from = isImage(hash) ? before.from : { hash, n: before.n };
  current = { n: before.n + 1, ...(isImage(location.hash) && { from }) };
  // Those that were gone back over are no more.
  left.delete(current.n);
  kept.delete(current.n);
  history.replaceState(current, '');
  if (viewOf(hash) !== viewOf(location.hash)) scrollTo(0, 0);
});

function viewOf(hash: string): string {
  return hash.split('?')[0]!;
}

/** Undefined where an image's page was the first that was opened. */
export function cameFrom(): From | undefined {
  return current.from;
}

export function goBackTo({ n }: From): void {
  history.go(n - current.n);
}

/** A page stays open for weeks, and few go back so far. */
const mostKept = 20;

/** To be found again when one comes back to this entry of the history. */
export function keep(value: unknown): void {
  kept.delete(current.n);
  kept.set(current.n, value);
  if (kept.size > mostKept) kept.delete(kept.keys().next().value!);
}

export function whatWasKept(): unknown {
  return kept.get(current.n);
}

/** As far down as this entry was when it was left, once what it shows is there. */
export function useLeftPlace(isThere: boolean): void {
  useEffect(() => {
    const top = left.get(current.n);
    if (!isThere || top === undefined) return;
    left.delete(current.n);
    scrollTo(0, top);
  }, [isThere]);
}
