/** Looks at an owned partition once a second (its end, the topic, whether anything moves), and keeps why it waits. */
import { errorMessage, VisionscaleError } from '../../../base/errors.ts';
import type { Topic } from '../../../systems/topic/topic.ts';
import type { InHand } from '../answer/in-hand.ts';

const tickMs = 1000;
/** Work of the classifier since it was last seen at work, in milliseconds; its processes do a little when idle, too. */
const leastWorkMs = 100;
/** How often the partition's end is asked for anew, in ticks. */
const askEvery = 5;
/** Longest time for which `status` and readiness say that it has stalled before the process gives up, in milliseconds. */
const longestShownMs = 5000;

export interface WatchdogOptions {
  topic: Topic;
  partition: number;
  waits: Waits;
  inHand: InHand;
  /** How long the classifier has computed, in milliseconds: an image has a limit of its own, so while it is at one, all is well. */
  worked: () => number;
  /** One past the last message that was recorded. */
  position: () => number;
  /** Nothing recorded for so long with messages waiting and no known cause: stalled. 0: never. */
  stallTimeoutMs: number;
  /** Told at once, and null when it moves again. */
  onStall: (error: StalledError | null) => void;
  /** Still stalled some seconds later, in which everybody could see it. */
  onDead: (error: StalledError) => void;
  /** Once a tick, for what else wants to look. */
  onTick: () => void;
}

/** Messages wait, nothing is recorded, and nothing outside is known to be the cause: a restart may help, waiting will not. */
export class StalledError extends VisionscaleError {
  override readonly name = 'StalledError';
  constructor(message: string) {
    super(message, {
      code: 'stalled',
      hint: 'A supervisor should restart the consumer; unrecorded messages are delivered again. If it stalls there again, please report this line.',
    });
  }
}

export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions;
  readonly #timer: NodeJS.Timeout;
  #end: number;
  #ticks = 0;
  #still = 0;
  #before: number;
  #ended = 0;
  #worked = 0;
  #asking = false;
  #stalled: StalledError | null = null;

  /** `end` is the partition's end as last known. */
  constructor(end: number, options: WatchdogOptions) {
    this.#options = options;
    this.#end = end;
    this.#before = options.position();
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** One past the partition's last message, as far as is known. */
  get end(): number {
    return Math.max(this.#end, this.#options.position());
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#options.waits.clear(this);
  }

  #tick(): void {
    const { stallTimeoutMs, waits, position, inHand } = this.#options;
    if (++this.#ticks % askEvery === 0) void this.#ask();
    this.#options.onTick();
    // A message that asks for a thousand images is recorded when the last of them is answered.
    const answers = inHand.ended !== this.#ended;
    const recorded = position() !== this.#before || this.end <= position();
    const moved = recorded || waits.reason !== null || answers || this.#works();
    this.#before = position();
    this.#ended = inHand.ended;
    // Counted in ticks that really ran: a process that was frozen, or a machine that slept, is not stalled.
    this.#still = moved ? 0 : this.#still + 1;
    if (stallTimeoutMs === 0) return;
    const stalledMs = this.#still * tickMs - stallTimeoutMs;
    if (stalledMs < 0) this.#tell(null);
    else this.#tell(this.#stalled ?? this.#diagnosis());
    if (this.#stalled && stalledMs >= Math.min(longestShownMs, stallTimeoutMs))
      this.#options.onDead(this.#stalled);
  }

  /** A slow image on a busy machine may take minutes to come to its limit. */
  #works(): boolean {
    const { inHand, worked } = this.#options;
    const now = worked();
    // A process has died, and its time with it.
    if (now < this.#worked) this.#worked = now;
    if (inHand.classifying && now - this.#worked < leastWorkMs) return false;
    this.#worked = now;
    return inHand.classifying;
  }

  #tell(stalled: StalledError | null): void {
    if (stalled === this.#stalled) return;
    this.#stalled = stalled;
    this.#options.onStall(stalled);
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { topic, partition, waits } = this.#options;
    try {
      this.#end = (await topic.bounds(partition)).end;
      waits.clear(this);
    } catch (error) {
      // A reader waits for its brokers in silence.
      waits.set(this, errorMessage(error));
    } finally {
      this.#asking = false;
    }
  }

  #diagnosis(): StalledError {
    const { partition, topic, inHand, position, stallTimeoutMs } = this.#options;
    return new StalledError(
      `partition ${partition} of ${topic.name} has stalled: ${this.end - position()} messages wait at offset ${position()}, ` +
        `none was recorded for ${Math.round(stallTimeoutMs / 1000)} s, and store, topic and database answer; in work: ${inHand.describe()}`,
    );
  }
}

/** Why a partition is waiting: what its retries wait for, for `status` and the log. */
export class Waits {
  readonly #reasons = new Map<unknown, string>();
  readonly #onChange: (reason: string | null) => void;
  #told: string | null = null;

  /** `onChange` hears the reason when waiting begins or changes, and null when everything goes on. */
  constructor(onChange: (reason: string | null) => void) {
    this.#onChange = onChange;
  }

  /** The oldest reason there is; null while nothing waits. */
  get reason(): string | null {
    return this.#reasons.values().next().value ?? null;
  }

  /** Runs something that retries, keeping its reason here for as long as it waits. */
  async during<T>(run: (onWait: (error: unknown) => void) => Promise<T>): Promise<T> {
    const id = Symbol();
    try {
      return await run((error) => {
        this.#reasons.set(id, errorMessage(error));
        this.#tell();
      });
    } finally {
      if (this.#reasons.delete(id)) this.#tell();
    }
  }

  /** For something that waits by itself: its reason, until it is cleared. */
  set(who: object, reason: string): void {
    this.#reasons.set(who, reason);
    this.#tell();
  }

  clear(who: object): void {
    if (this.#reasons.delete(who)) this.#tell();
  }

  #tell(): void {
    if (this.reason === this.#told) return;
    this.#told = this.reason;
    this.#onChange(this.#told);
  }
}
