/** Judges a failed attempt: is it final for this one object, or may it pass? One for each owned partition. */
import { DatabaseError, isRetryable, ObjectError, VisionscaleError } from '../../../base/errors.ts';

export interface PatienceOptions {
  /** How long an object may be missing behind its message, in milliseconds: an event can outrun its object. */
  notFoundGraceMs: number;
  /** How long one object may go on failing while others succeed, in milliseconds. */
  retryImageForMs: number;
  /** Whether this object, which could be had before, can be had now. */
  probe: (imageKey: string) => Promise<boolean>;
  now?: () => number;
}

/** Deaths of the thread that worked on one image; each thread works on one at a time. */
const mostThreadDeaths = 3;

/** What is denied to one object for want of a right is likely to be denied to many. */
const ofRights = new Set(['access_denied', 'no_credentials', 'bucket_missing']);

export class Patience {
  readonly #options: PatienceOptions;
  readonly #now: () => number;
  readonly #failing = new Set<Trial>();
  #succeeded = 0;
  #lastGood: string | undefined;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** `ageMs`: how old the message is by the topic's clock. */
  begin(imageKey: string, ageMs: number): Trial {
    const { notFoundGraceMs } = this.#options;
    // A host's clock may be ahead of the topic's or behind it: between nothing and the whole grace.
    const grace = Math.min(notFoundGraceMs, Math.max(0, notFoundGraceMs - ageMs));
    return new Trial(this, imageKey, this.#now() + grace);
  }

  /** @internal */
  now(): number {
    return this.#now();
  }

  /** @internal */
  fetched(imageKey: string): void {
    this.#succeeded++;
    this.#lastGood = imageKey;
  }

  /** @internal */
  get successes(): number {
    return this.#succeeded;
  }

  /** @internal */
  failing(trial: Trial, is: boolean): void {
    if (is) this.#failing.add(trial);
    else this.#failing.delete(trial);
  }

  /**
   * Whether the fault is this object's own: it has failed for long, others came meanwhile, and one of them comes now.
   * Where access is denied, only while it is the only one: rights are a setting, and a belt's worth of images must not
   * be given up for it.
   * @internal
   */
  async isOnlyThisOne(trial: Trial, error: ObjectError): Promise<boolean> {
    if (this.#now() - trial.failingSince < this.#options.retryImageForMs) return false;
    const others = this.#succeeded - trial.successesBefore;
    const allowed = ofRights.has(error.code) ? Math.min(others, 1) : others;
    if (others === 0 || this.#failing.size > allowed || this.#lastGood === undefined) return false;
    return this.#options.probe(this.#lastGood);
  }
}

/** One for every bucket that is asked for; null is the configured store. */
export function patienceByBucket(
  options: Omit<PatienceOptions, 'probe'>,
  probe: (bucket: string | null, imageKey: string) => Promise<boolean>,
): (bucket: string | null) => Patience {
  const known = new Map<string | null, Patience>();
  return (bucket) => {
    const patience = known.get(bucket) ?? new Patience({ ...options, probe: (key) => probe(bucket, key) });
    known.set(bucket, patience);
    return patience;
  };
}

/** One request's attempts. */
class Trial {
  readonly #patience: Patience;
  readonly #imageKey: string;
  readonly #graceEnds: number;
  #threadDeaths = 0;
  failingSince = Infinity;
  successesBefore = 0;

  constructor(patience: Patience, imageKey: string, graceEnds: number) {
    this.#patience = patience;
    this.#imageKey = imageKey;
    this.#graceEnds = graceEnds;
  }

  /** The object was read. */
  fetched(): void {
    this.#patience.fetched(this.#imageKey);
    this.#patience.failing(this, false);
    this.failingSince = Infinity;
  }

  /** False: the same attempt may succeed later. True: the error is this request's outcome. */
  async isFinal(error: unknown): Promise<boolean> {
    // Only what says something about the image can be its outcome; a mark that the database refused does not.
    if (!(error instanceof VisionscaleError) || error instanceof DatabaseError) return false;
    if (error.code === 'worker_crashed') return ++this.#threadDeaths >= mostThreadDeaths;
    if (!(error instanceof ObjectError)) return !isRetryable(error);
    // It may come a little after its message; whatever else a store says of one object stays so.
    if (error.ofObject) return error.code !== 'not_found' || this.#patience.now() >= this.#graceEnds;
    if (this.failingSince === Infinity) {
      this.failingSince = this.#patience.now();
      this.successesBefore = this.#patience.successes;
      this.#patience.failing(this, true);
    }
    return this.#patience.isOnlyThisOne(this, error);
  }

  end(): void {
    this.#patience.failing(this, false);
  }
}

export type { Trial };
