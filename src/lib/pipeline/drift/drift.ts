/** Watches what a consumer records for belts that change: with each model a belt at a time, beside the pipeline and never in its way. */
import type { Pool } from 'pg';
import type { Prediction } from '../../systems/database/record/outcome.ts';
import { keepReference, readReference } from '../../systems/database/tables/belt-references.ts';
import type { Drift } from '../../systems/database/tables/consumers.ts';
import { latencyStart } from '../../systems/message/values.ts';
import type { ConsumeEvent, RecordedEvent } from '../consume/options.ts';
import { type BeltDrift, BeltWatch } from './belt.ts';

/** Most belts that are watched; later ones are not. As many as metrics tell apart. */
const mostBelts = 50;
/** A belt without an image for as long is forgotten, in milliseconds. */
const forgottenAfterMs = 60 * 60_000;
/** How often the reference of a belt that drifts is read again, in milliseconds: somebody may have given the belt another one. */
const readAgainMs = 5000;
/** Most that are told of a consumer, so that its row stays small. */
const mostTold = 20;

/** How a belt stands, for metrics. */
export interface BeltState {
  belt: string | null;
  drifts: readonly BeltDrift[];
  /** Of the last images: a share of 1; null: the model does not tell. */
  unknown: number | null;
  /** Mean, a share of 1. */
  confidence: number;
}

export interface DriftDeps {
  /** Null before it is open. */
  pool: () => Pool | null;
  pipeline: string;
  report: (event: ConsumeEvent) => void;
}

interface Watched {
  belt: string | null;
  model: Drift['model'];
  watch: BeltWatch;
  /** Of the reference: none was asked for, its answer is awaited, there is none yet, it is there. */
  reference: 'unasked' | 'asked' | 'none' | 'there';
  readAt: number;
  seenAt: number;
}

export class DriftWatch {
  readonly #deps: DriftDeps;
  readonly #belts = new Map<string | null, Watched>();
  readonly #owned = new Set<number>();

  constructor(deps: DriftDeps) {
    this.#deps = deps;
  }

  see(event: ConsumeEvent): void {
    if (event.kind === 'recorded') this.#recorded(event);
    else if (event.kind === 'owning') this.#owned.add(event.partition);
    else if (event.kind === 'lost' || event.kind === 'released') {
      this.#owned.delete(event.partition);
      // Another consumer sees these belts from now on, and this one would never hear that all is well again.
      if (this.#owned.size === 0) this.#belts.clear();
    }
  }

  /** The earliest first. */
  drifts(): Drift[] {
    this.#forget();
    return [...this.#belts.values()]
      .flatMap((watched) => watched.watch.drifts.map((drift) => told(watched, drift)))
      .sort((a, b) => (a.since ?? '').localeCompare(b.since ?? ''))
      .slice(0, mostTold);
  }

  belts(): BeltState[] {
    this.#forget();
    return [...this.#belts.values()].flatMap(({ belt, watch }) => {
      if (watch.judged === null) return [];
      const { images, unknown, confidence } = watch.judged;
      const share = unknown === null ? null : unknown / images;
      return [{ belt, drifts: watch.drifts, unknown: share, confidence: confidence.mean / 100 }];
    });
  }

  /** New rows only: an image that comes again tells nothing of the belt now. */
  #recorded({ outcomes, predictions, ended }: RecordedEvent): void {
    const isNew = new Set(predictions.map(({ requestId }) => requestId));
    for (const outcome of outcomes) {
      if (outcome.kind === 'prediction' && isNew.delete(outcome.request.id)) this.#add(outcome, ended);
    }
  }

  #add({ record, request, classification }: Prediction, ended: number): void {
    const { model, top, novelty } = classification;
    const watched = this.#watched(request.belt, model);
    const [best] = top;
    if (watched === null || best === undefined) return;
    watched.seenAt = performance.now();
    const isTime = watched.watch.add({
      time: latencyStart(request.capturedAt, record.timestamp) ?? ended,
      category: best.category,
      confidence: best.confidence,
      unknown: novelty === undefined ? null : novelty >= 1,
    });
    if (isTime) this.#judge(watched);
  }

  /** A belt has one model: with another it begins anew. */
  #watched(belt: string | null, model: Prediction['classification']['model']): Watched | null {
    const known = this.#belts.get(belt);
    if (known?.model.digest === model.digest) return known;
    if (known === undefined && this.#belts.size >= mostBelts) return null;
    const { name, version, digest, expected } = model;
    const begun: Watched = {
      ...{ belt, model: { name, version, digest }, watch: new BeltWatch(expected) },
      ...{ reference: 'unasked', readAt: -Infinity, seenAt: 0 },
    };
    this.#belts.set(belt, begun);
    return begun;
  }

  #judge(watched: Watched): void {
    const { watch } = watched;
    for (const { drift, over } of watch.judge()) {
      this.#deps.report({ kind: 'drift', partition: null, drift: told(watched, drift), over });
    }
    const { reference, readAt } = watched;
    if (reference === 'unasked' || (reference === 'none' && watch.firstShown() !== null)) {
      void this.#refer(watched);
    } else if (reference === 'there' && watch.drifts.length > 0 && performance.now() - readAt > readAgainMs) {
      void this.#refer(watched);
    }
  }

  /** Reads the belt's reference, or makes it of its first images. Tried again at the next judgement where the database is away. */
  async #refer(watched: Watched): Promise<void> {
    const pool = this.#deps.pool();
    if (pool === null) return;
    const { belt, model, watch, reference: before } = watched;
    const key = { pipeline: this.#deps.pipeline, belt, modelDigest: model.digest };
    watched.reference = 'asked';
    try {
      const first = before === 'none' ? watch.firstShown() : null;
      const found = first === null ? await readReference(pool, key) : await keepReference(pool, key, first);
      watched.readAt = performance.now();
      if (found === null && before === 'there') {
        // Somebody wants the belt to be learned anew.
        this.#belts.delete(belt);
        return;
      }
      watched.reference = found === null ? 'none' : 'there';
      if (found !== null) watch.compareWith(found, found === first);
    } catch {
      watched.reference = before;
    }
  }

  #forget(): void {
    const oldest = performance.now() - forgottenAfterMs;
    for (const [belt, { seenAt }] of this.#belts) if (seenAt < oldest) this.#belts.delete(belt);
  }
}

function told({ belt, model }: Watched, { kind, since, from, to, category }: BeltDrift): Drift {
  return {
    belt,
    model,
    kind,
    since: since === null ? null : new Date(since).toISOString(),
    from,
    to,
    category,
  };
}
