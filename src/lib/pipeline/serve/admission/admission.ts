/**
 * Bounds what the server takes on: images between received and acknowledged, and the bytes of all that are in memory. No
 * sender has more than a share of these, and who sends too slowly loses his place: at once where it is wanted.
 */
import { type Load, noLoad } from '../../../base/flow/load.ts';
import { Problem } from '../problem.ts';
import { Places } from './senders.ts';

interface Bounds {
  images: number;
  /** Of one sender. */
  imagesEach?: number;
  bytes: number;
  /** Of one sender. */
  bytesEach?: number;
}

/** When those who are turned away should come again, in seconds. */
const retryAfter = 1;
/** The least that an image has to bring, in bytes a second, once it has had time to begin. */
const leastRate = 4096;
const graceMs = 10_000;
/** Where memory is wanted: what brings less than this has to give way, after so long. */
const slowRate = 65_536;
const slowMs = 1000;
const lookEveryMs = 1000;

export class Admission {
  readonly #most: { bytes: number; bytesEach: number };
  readonly #places: Places;
  readonly #load: Load;
  /** What is being received. */
  readonly #arriving = new Set<Arrival>();
  readonly #held = new Map<string, number>();
  #looking: NodeJS.Timeout | undefined;

  /** `load` is kept up to date, for whoever wants to see it. */
  constructor({ images, imagesEach = images, bytes, bytesEach = bytes }: Bounds, load: Load = noLoad()) {
    this.#most = { bytes, bytesEach };
    this.#places = new Places({ all: images, each: imagesEach });
    this.#load = load;
  }

  get images(): number {
    return this.#load.requests;
  }

  get bytes(): number {
    return this.#load.bytes;
  }

  /** Before anything of an image is read: throws a 429 where it could not be taken in anyway. */
  check(sender = ''): void {
    this.#checkPlace(sender);
    if (this.#isTooMuch(sender, 1) && this.#slowest(sender, 1) === undefined) throw this.#full(sender, 1);
  }

  /** A place for one image; disposing gives it back. Throws a 429 where there is none. */
  enter(sender = ''): Disposable {
    this.#checkPlace(sender);
    const leave = this.#places.take(sender);
    this.#load.requests++;
    return once(() => {
      leave();
      this.#load.requests--;
    });
  }

  /** Memory that grows with what arrives; disposing gives all of it back. */
  memory(sender = ''): Memory {
    const arrival = new Arrival(sender);
    this.#arriving.add(arrival);
    this.#looking ??= setInterval(() => this.#look(), lookEveryMs).unref();
    return {
      take: (bytes) => this.#take(arrival, bytes),
      complete: () => void this.#leave(arrival),
      dropped: arrival.dropped,
      ...once(() => this.#release(arrival)),
    };
  }

  #checkPlace(sender: string): void {
    const full = this.#places.full(sender);
    if (full !== undefined) throw busy(full === 'each' ? shareUsed : undefined);
  }

  #take(arrival: Arrival, bytes: number): void {
    const { sender, lost } = arrival;
    if (lost !== undefined) throw lost;
    arrival.add(bytes);
    while (this.#isTooMuch(sender, bytes)) {
      const slowest = this.#slowest(sender, bytes, arrival);
      if (slowest === undefined) throw this.#full(sender, bytes);
      this.#drop(slowest, 'the image came too slowly while others needed its memory');
    }
    this.#load.bytes += bytes;
    arrival.bytes += bytes;
    this.#held.set(sender, this.#heldBy(sender) + bytes);
  }

  #isTooMuch(sender: string, bytes: number): boolean {
    return this.#isShareUsed(sender, bytes) || this.#load.bytes + bytes > this.#most.bytes;
  }

  #isShareUsed(sender: string, bytes: number): boolean {
    return this.#heldBy(sender) + bytes > this.#most.bytesEach;
  }

  #full(sender: string, bytes: number): Problem {
    return busy(this.#isShareUsed(sender, bytes) ? shareUsed : undefined);
  }

  #heldBy(sender: string): number {
    return this.#held.get(sender) ?? 0;
  }

  /** Of those who could give way: a sender that has used up its share makes room for itself. */
  #slowest(sender: string, bytes: number, but?: Arrival): Arrival | undefined {
    const own = this.#isShareUsed(sender, bytes);
    let slowest: { arrival: Arrival; rate: number } | undefined;
    for (const arrival of this.#arriving) {
      if (arrival === but || arrival.bytes === 0 || (own && arrival.sender !== sender)) continue;
      if (arrival.ageMs < slowMs) continue;
      const rate = arrival.rate();
      if (rate < Math.min(slowRate, slowest?.rate ?? Infinity)) slowest = { arrival, rate };
    }
    return slowest?.arrival;
  }

  #look(): void {
    for (const arrival of this.#arriving) {
      if (arrival.ageMs >= graceMs && arrival.longRate() < leastRate) {
        this.#drop(arrival, `the image came at less than ${leastRate} bytes a second`);
      }
    }
  }

  #drop(arrival: Arrival, reason: string): void {
    this.#release(arrival);
    arrival.lose(
      new Problem(408, 'too_slow', reason, {
        hint: 'Send it again, over a faster connection or as a smaller image.',
        retryAfter,
      }),
    );
  }

  #release(arrival: Arrival): void {
    this.#leave(arrival);
    this.#load.bytes -= arrival.bytes;
    const rest = this.#heldBy(arrival.sender) - arrival.bytes;
    if (rest > 0) this.#held.set(arrival.sender, rest);
    else this.#held.delete(arrival.sender);
    arrival.bytes = 0;
  }

  #leave(arrival: Arrival): void {
    this.#arriving.delete(arrival);
    if (this.#arriving.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }
}

export interface Memory extends Disposable {
  /** Throws a 429 where there is no more. */
  take(bytes: number): void;
  /** The image is there: from now on it is not its sender who is slow. */
  complete(): void;
  /** Rejects with a 408 where the image loses its place, and never resolves. */
  dropped: Promise<never>;
}

/** One image that is being received. */
class Arrival {
  readonly sender: string;
  readonly dropped: Promise<never>;
  bytes = 0;
  /** Why it has no place any more. */
  lost: Problem | undefined;
  #drop!: (reason: Problem) => void;
  readonly #began = performance.now();
  readonly #now = new Flow(slowMs);
  readonly #lately = new Flow(graceMs);

  constructor(sender: string) {
    this.sender = sender;
    this.dropped = new Promise((_resolve, reject) => (this.#drop = reject));
    // Dropped when nobody reads any more, it is nobody's fault.
    this.dropped.catch(() => undefined);
  }

  get ageMs(): number {
    return performance.now() - this.#began;
  }

  add(bytes: number): void {
    this.#now.add(bytes);
    this.#lately.add(bytes);
  }

  lose(reason: Problem): void {
    this.lost = reason;
    this.#drop(reason);
  }

  rate(): number {
    return this.#now.rate();
  }

  longRate(): number {
    return this.#lately.rate();
  }
}

const shareUsed = 'this sender has reached its limit';

function busy(reason = 'the server has reached its limit of images in flight'): Problem {
  return new Problem(429, 'busy', reason, {
    hint: 'Send it again after the time in Retry-After.',
    retryAfter,
  });
}

function once(give: () => void): Disposable {
  let given = false;
  return {
    [Symbol.dispose]() {
      if (given) return;
      given = true;
      give();
    },
  };
}

/** How fast something has come lately, in two counts of one window each: what came before them is forgotten. */
class Flow {
  readonly #windowMs: number;
  #began = performance.now();
  #former = 0;
  #latest = 0;
  #windows = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(bytes: number): void {
    this.#turn();
    this.#latest += bytes;
  }

  /** In bytes a second, over the last one to two windows. */
  rate(): number {
    const since = this.#turn() + (this.#windows > 0 ? this.#windowMs : 0);
    return since <= 0 ? Infinity : ((this.#former + this.#latest) * 1000) / since;
  }

  /** Milliseconds of the window that has begun. */
  #turn(): number {
    const elapsed = performance.now() - this.#began;
    const over = Math.floor(elapsed / this.#windowMs);
    if (over === 0) return elapsed;
    this.#former = over === 1 ? this.#latest : 0;
    this.#latest = 0;
    this.#windows += over;
    this.#began += over * this.#windowMs;
    return elapsed - over * this.#windowMs;
  }
}
