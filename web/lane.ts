/**
 * The lane of the belt view: results come in at the left, in order, run to above their bin and drop into it. Few enough to be
 * seen: a tile enters where one has made room, and what waited too long without that is passed by, ordinary results first.
 * The browser moves the tiles by itself; nothing here runs for each frame of a movement.
 */
import { picture, type Result } from './api.ts';
import { percent } from './format.ts';
import { markOf } from './tally.ts';
import { texts } from './texts.ts';

interface LaneOptions {
  /** Where a result's bin is, within the lane's coordinates; undefined where it is not shown. */
  target: (result: Result) => { x: number; y: number } | undefined;
  /** A tile is in its bin. */
  landed: (result: Result, image: Blob | undefined) => void;
}

const most = { tiles: 60, waiting: 8, loading: 4 };
/** Between two pictures that are asked for: eight a second. */
const pictureMs = 125;
/** Where nothing shall move: between two tiles. */
const stillMs = 500;
const gap = 8;
/** From one end of the lane to the other, unless it is narrow; and from the lane into a bin. */
const crossMs = 5000;
const slowest = 0.16;
const dropMs = 600;

interface Tile {
  element: HTMLElement;
  result: Result;
  stop: AbortController;
  url?: string;
  image?: Blob;
}

export class Lane {
  readonly #lane: HTMLElement;
  readonly #options: LaneOptions;
  readonly #tiles = new Set<Tile>();
  /** By track: when its last tile has made room, by `performance.now()`. */
  #roomAt: number[] = [];
  #waiting: Result[] = [];
  #frame = 0;
  #pictureAt = 0;
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
    while (this.#waiting.length > most.waiting) {
      // What is out of the ordinary is what somebody looks for.
      const ordinary = this.#waiting.findIndex((result) => markOf(result) === null);
      this.#waiting.splice(Math.max(0, ordinary), 1);
    }
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
    const { clientWidth: width, clientHeight: height } = this.#lane;
    const side = parseFloat(getComputedStyle(this.#lane).getPropertyValue('--tile'));
    const tall = parseFloat(getComputedStyle(this.#lane).getPropertyValue('--tall'));
    const isStill = this.#still.matches;
    const speed = Math.max(width / crossMs, slowest);
    const tracks = isStill ? 1 : Math.max(1, Math.floor(height / (tall + gap)));
    for (let track = 0; track < tracks && this.#waiting.length > 0; track++) {
      if ((this.#roomAt[track] ?? 0) > now || this.#tiles.size >= most.tiles) continue;
      this.#roomAt[track] = now + (isStill ? stillMs : (side + gap) / speed);
      const tile = this.#make(this.#waiting.shift()!, now);
      if (isStill) {
        this.#lane.prepend(tile.element);
        const fits = Math.floor((width + gap) / (side + gap));
        for (const old of [...this.#tiles].slice(0, -Math.max(1, fits))) this.#remove(old);
        if (tile.image === undefined) this.#options.landed(tile.result, undefined);
      } else {
        this.#lane.append(tile.element);
        this.#run(tile, { side, speed, width, y: track * (tall + gap) });
      }
    }
    if (this.#waiting.length > 0) this.#frame = requestAnimationFrame(this.#enter);
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
      this.#options.landed(tile.result, tile.image);
      this.#remove(tile);
    };
  }

  #make(result: Result, now: number): Tile {
    const mark = markOf(result);
    const element = part('div', `belt-tile ${mark ?? ''}`);
    const shown = part('span', 'belt-picture');
    element.append(shown, part('b', '', result.category), part('span', '', percent(result.confidence)));
    if (mark !== null) element.append(part('em', '', texts.belt.marks[mark]));
    // For the mouse alone: the keyboard has the links of the bins.
    element.onclick = () => (location.hash = `#/image/${encodeURIComponent(result.id)}`);
    const tile: Tile = { element, result, stop: new AbortController() };
    this.#tiles.add(tile);
    if (now - this.#pictureAt >= pictureMs && this.#loading < most.loading) {
      this.#pictureAt = now;
      void this.#load(tile, shown);
    }
    return tile;
  }

  async #load(tile: Tile, shown: HTMLElement): Promise<void> {
    this.#loading++;
    try {
      const image = await picture(tile.result.imageKey, 192, tile.stop.signal);
      if (!this.#tiles.has(tile)) return;
      tile.image = image;
      tile.url = URL.createObjectURL(image);
      const img = document.createElement('img');
      img.src = tile.url;
      img.alt = '';
      shown.append(img);
      if (this.#still.matches) this.#options.landed(tile.result, image);
    } catch {
      // It stays a tile without a picture.
    } finally {
      this.#loading--;
    }
  }

  #remove(tile: Tile): void {
    if (!this.#tiles.delete(tile)) return;
    tile.stop.abort();
    if (tile.url !== undefined) URL.revokeObjectURL(tile.url);
    tile.element.remove();
  }
}

function part(name: string, className: string, text = ''): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}
