/** Which model classifies an image: its belt's own where it has one, else the pipeline's. */
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { HeldModels, Lent } from '../../models/classifier/held.ts';
import type { ChosenModel, ChosenModels } from '../../systems/database/tables/belt-models.ts';

/** What a consumer classifies with. */
export interface Models {
  /** The pipeline's, always open. */
  readonly pipelines: Classifier;
  /**
   * For an image of this belt; null: of no belt. Rejects with the signal's reason, and where the belt's own model cannot be
   * had with `belt_model_unavailable` (retryable), for no other model may take its place.
   */
  lend(belt: string | null, options: LendOptions): Promise<Lent>;
  /** Why what was chosen is not in use here, for `status`; null where it is. */
  problem(): string | null;
}

export interface LendOptions {
  signal: AbortSignal;
  /** Told, in words, where the model has to be opened first. */
  onOpen: (reason: string) => void;
}

/** For all belts, whatever was chosen for the pipeline. */
export function oneModel(classifier: Classifier): Models {
  const lent: Lent = { classifier, [Symbol.dispose]: () => undefined };
  return { pipelines: classifier, lend: () => Promise.resolve(lent), problem: () => null };
}

/** `belt`: null is the pipeline. */
export type ModelEvent =
  | { kind: 'switched'; belt: string | null; model: string; version: string; digest: string }
  /** The former model goes on: by name, where it is the pipeline's. */
  | { kind: 'switch failed'; belt: string | null; digest: string; reason: string; former?: string }
  /** Its images wait. */
  | { kind: 'not opened'; belt: string; digest: string; reason: string };

/** What was chosen for the pipeline and for its belts. A model is open before it takes over; until then the former goes on. */
export class ChosenForPipeline implements Models {
  readonly #held: HeldModels;
  readonly #report: (event: ModelEvent) => void;
  #pipelines: Classifier;
  #chosen: ChosenModels;
  /** What belts use; differs from what was chosen for them while that is being opened. */
  readonly #byBelt: Map<string, ChosenModel>;

  /** `first` is the pipeline's: open, and kept. */
  constructor(
    held: HeldModels,
    {
      first,
      chosen,
      report,
    }: { first: Classifier; chosen: ChosenModels; report: (event: ModelEvent) => void },
  ) {
    this.#held = held;
    this.#pipelines = first;
    this.#chosen = chosen;
    this.#byBelt = new Map(chosen.byBelt);
    this.#report = report;
  }

  get pipelines(): Classifier {
    return this.#pipelines;
  }

  async lend(belt: string | null, { signal, onOpen }: LendOptions): Promise<Lent> {
    const model = belt === null ? undefined : this.#modelOf(belt);
    if (model === undefined) return this.#held.lend({ digest: this.#pipelines.model.digest, bytes: 0 });
    try {
      if (!this.#held.isOpen(model.digest)) onOpen(`the model of belt ${belt} is being opened`);
      return await this.#held.lend(model, { signal });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new VisionscaleError(`the model of belt ${belt} cannot be opened: ${errorMessage(error)}`, {
        code: 'belt_model_unavailable',
        retryable: true,
        hint: 'Choose another one, or the pipeline’s: visionscale model use --help',
        cause: error,
      });
    }
  }

  problem(): string | null {
    const { pipelines, byBelt } = this.#chosen;
    const reasonOf = (model: ChosenModel | null) => model && this.#held.failureOf(model.digest)?.reason;
    const reason = reasonOf(pipelines);
    if (reason != null) return `the active model cannot be used: ${reason}`;
    for (const [belt, model] of byBelt) {
      const reason = reasonOf(model);
      if (reason != null) return `the model of belt ${belt} cannot be used: ${reason}`;
    }
    return null;
  }

  /** To be told of each attempt to open a model that failed: reports whom it concerns. */
  failed(digest: string, reason: string): void {
    const { pipelines, byBelt } = this.#chosen;
    if (pipelines?.digest === digest) {
      const { name, version } = this.#pipelines.model;
      const former = `${name} ${version}`;
      this.#report({ kind: 'switch failed', belt: null, digest, reason, former });
    }
    for (const [belt, chosen] of byBelt) {
      if (chosen.digest !== digest) continue;
      const former = this.#byBelt.get(belt)?.digest ?? this.#pipelines.model.digest;
      const kind = former !== digest && this.#held.isOpen(former) ? 'switch failed' : 'not opened';
      this.#report({ kind, belt, digest, reason });
    }
  }

  /** Takes over what has been chosen since, one model after the other. Never throws: what fails is told, and tried again later. */
  async follow(chosen: ChosenModels, signal: AbortSignal): Promise<void> {
    this.#chosen = chosen;
    const { pipelines, byBelt } = chosen;
    if (pipelines !== null && pipelines.digest !== this.#pipelines.model.digest) {
      await this.#takeOver(null, pipelines, signal);
    }
    for (const belt of [...this.#byBelt.keys()]) {
      if (byBelt.has(belt)) continue;
      this.#byBelt.delete(belt);
      this.#switched(belt, this.#pipelines);
    }
    for (const [belt, model] of byBelt) {
      const inUse = this.#byBelt.get(belt)?.digest === model.digest;
      if (!inUse) await this.#takeOver(belt, model, signal);
      // Before its first image, where no other has to go for it.
      else if (!this.#held.isOpen(model.digest) && this.#held.fits(model)) {
        await this.#open(model, { signal });
      }
    }
    this.#held.only(new Set([...this.#byBelt.values(), ...byBelt.values()].map(({ digest }) => digest)));
  }

  /** Its former model goes on only while that is open. */
  #modelOf(belt: string): ChosenModel | undefined {
    const inUse = this.#byBelt.get(belt);
    if (inUse === undefined || this.#held.isOpen(inUse.digest)) return inUse;
    const chosen = this.#chosen.byBelt.get(belt);
    if (chosen !== undefined) this.#byBelt.set(belt, chosen);
    return chosen ?? inUse;
  }

  async #takeOver(belt: string | null, model: ChosenModel, signal: AbortSignal): Promise<void> {
    const classifier = await this.#open(model, { keep: belt === null, signal });
    if (classifier === null) return;
    if (belt === null) {
      this.#pipelines = classifier;
      this.#held.keep(model.digest);
    } else {
      this.#byBelt.set(belt, model);
    }
    this.#switched(belt, classifier);
  }

  /** Null where it cannot be opened: not now, or not lately. */
  async #open(
    model: ChosenModel,
    options: { keep?: boolean; signal: AbortSignal },
  ): Promise<Classifier | null> {
    const { signal } = options;
    if (signal.aborted || this.#held.failureOf(model.digest)?.triesAgain === false) return null;
    try {
      using lent = await this.#held.lend(model, options);
      return lent.classifier;
    } catch {
      return null; // it has been told
    }
  }

  #switched(belt: string | null, { model: { name: model, version, digest } }: Classifier): void {
    this.#report({ kind: 'switched', belt, model, version, digest });
  }
}
