/**
 * The lane of the belt view: results come in at the left, in order, run to above their bin and drop into it. Few enough to be
 * seen: a tile enters where one has made room, at most eight a second, and of what waits too long some are passed by.
 * The browser moves the tiles by itself; nothing here runs for each frame of a movement.
 */
import type { Result } from '../shared/answers.ts';
import { percent } from '../shared/format.ts';
import { markOf } from '../shared/marks.ts';
import { texts } from '../texts.ts';
import { copyOf, drawnPicture } from './drawn.ts';

interface LaneOptions {
  /** Where a result's bin is, within the lane's coordinates; undefined where it is not shown. */
  target: (result: Result) => { x: number; y: number } | undefined;
  /** A tile is in its bin. */
  landed: (result: Result, picture: HTMLCanvasElement | undefined) => void;
}

const most = { tiles: 60, waiting: 8, loading: 4 };
/** Between two tiles, each with a picture; and where nothing shall move. */
const enterMs = { moving: 125, still: 500 };
const gap = 8;
/** From one end of the lane to the other, unless it is narrow; and from the lane into a bin. */
const crossMs = 5000;
const slowest = 0.16;
const dropMs = 600;

interface Tile {
  element: HTMLElement;
  result: Result;
  stop: AbortController;
  picture?: HTMLCanvasElement;
}

export class Lane {
  readonly #lane: HTMLElement;
  readonly #options: LaneOptions;
  readonly #tiles = new Set<Tile>();
  /** By track: when its last tile has made room, by `performance.now()`. */
  #roomAt: number[] = [];
  #waiting: Result[] = [];
  #frame = 0;
  #lookedAt = 0;
  #loading = 0;
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor(lane: HTMLElement, options: LaneOptions) {
    this.#lane = lane;
    this.#options = options;
    this.#still.addEventListener('change', this.clear);
  }

  add(results: readonly Result[]): void {
    if (document.hidden) return;
    this.#waiting.push(...results.slice(-4 * most.waiting));
    // By chance, so that what is seen is like what comes.
    while (this.#waiting.length > most.waiting)
      this.#waiting.splice(Math.floor(Math.random() * this.#waiting.length), 1);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#enter);
  }

  readonly clear = (): void => {
    this.#waiting = [];
    this.#roomAt = [];
    for (const tile of this.#tiles) this.#remove(tile);
  };

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#still.removeEventListener('change', this.clear);
    this.clear();
  }

  readonly #enter = (now: number): void => {
    this.#frame = 0;
    if (this.#waiting.length > 0) this.#frame = requestAnimationFrame(this.#enter);
    const isStill = this.#still.matches;
    if (now - this.#lookedAt < (isStill ? enterMs.still : enterMs.moving)) return;
    this.#lookedAt = now;
    const { clientWidth: width, clientHeight: height } = this.#lane;
    const side = parseFloat(getComputedStyle(this.#lane).getPropertyValue('--tile'));
    const tall = parseFloat(getComputedStyle(this.#lane).getPropertyValue('--tall'));
    const speed = Math.max(width / crossMs, slowest);
    const tracks = isStill ? 1 : Math.max(1, Math.floor(height / (tall + gap)));
    const track = Array.from({ length: tracks }, (_, n) => n).find((n) => (this.#roomAt[n] ?? 0) <= now);
    const result = this.#waiting[0];
    if (track === undefined || result === undefined || (!isStill && this.#tiles.size >= most.tiles)) return;
    this.#waiting.shift();
    const tile = this.#make(result);
    if (isStill) {
      this.#lane.prepend(tile.element);
      const fits = Math.min(most.tiles, Math.max(1, Math.floor((width + gap) / (side + gap))));
      for (const old of [...this.#tiles].slice(0, -fits)) this.#remove(old);
      this.#options.landed(result, undefined);
    } else {
      this.#roomAt[track] = now + (side + gap) / speed;
      this.#lane.append(tile.element);
      this.#run(tile, { side, speed, width, y: track * (tall + gap) });
    }
  };

  #run(tile: Tile, path: { side: number; speed: number; width: number; y: number }): void {
    const { side, speed, width, y } = path;
    const target = this.#options.target(tile.result);
    const x = target === undefined ? width : target.x - side / 2;
    const runMs = (x + side) / speed;
    const offset = runMs / (runMs + dropMs);
    const at = (left: number, top: number, scale = 1) => `translate(${left}px, ${top}px) scale(${scale})`;
    const moved = tile.element.animate(
      [
        { transform: at(-side, y), opacity: 1, easing: 'linear' },
        { transform: at(x, y), opacity: 1, offset, easing: 'ease-in' },
        { transform: at(x, target?.y ?? y, 0.4), opacity: 0.2 },
      ],
      { duration: runMs + dropMs, fill: 'both' },
    );
    moved.onfinish = () => {
      this.#options.landed(tile.result, tile.picture);
      this.#remove(tile);
    };
  }

  #make(result: Result): Tile {
    const mark = markOf(result);
    const element = part('div', `belt-tile ${mark ?? ''}`);
    const shown = part('span', 'belt-picture');
    element.append(shown, part('b', '', result.category), part('span', '', percent(result.confidence)));
    if (mark !== null) element.append(part('em', '', texts.belt.marks[mark]));
    // For the mouse alone: the keyboard has the links of the bins.
    element.onclick = () => (location.hash = `#/image/${encodeURIComponent(result.id)}`);
    const tile: Tile = { element, result, stop: new AbortController() };
    this.#tiles.add(tile);
    // Where the server is slow, others have none.
    if (this.#loading < most.loading) void this.#load(tile, shown);
    return tile;
  }

  async #load(tile: Tile, shown: HTMLElement): Promise<void> {
    this.#loading++;
    try {
      tile.picture = await drawnPicture(tile.result.imageKey, 192, tile.stop.signal);
      shown.append(tile.picture);
      if (this.#still.matches) this.#options.landed(tile.result, copyOf(tile.picture));
    } catch {
      // It stays a tile without a picture.
    } finally {
      this.#loading--;
    }
  }

  #remove(tile: Tile): void {
    if (!this.#tiles.delete(tile)) return;
    tile.stop.abort();
    tile.element.remove();
  }
}

function part(name: string, className: string, text = ''): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}
